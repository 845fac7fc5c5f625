"""YAML text to plain data, with the line and column of everything in it.

Every scalar comes out as the text that was written (or None for an empty one): `region: no` and a project id
of digits only are names, whatever YAML 1.1 takes them for. What a text has to be is the reader's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import yaml

from oidproxy.errors import ConfigError

# libyaml is some ten times faster than the Python parser; PyYAML's wheels bring it, some distributions do
# not.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]
"""Keys and list positions (from 0) that lead to a value: `("listeners", 0, "bind")`."""

Plain = None | str | list["Plain"] | dict[str, "Plain"]

Expand = Callable[[str], str]
"""Replaces the references of a value; raises ValueError with a message that shows no secret."""

_CORE = "tag:yaml.org,2002:"
_NULL = f"{_CORE}null"
_MERGE = f"{_CORE}merge"
_PLAIN_TAGS = frozenset(
    _CORE + name
    for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge", "map", "seq")
)

Pairs = list[tuple[yaml.Node, yaml.Node]]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file; lines and columns (in characters) count from 1, 0 means unknown."""

    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """One file's data and where each part of it stands."""

    file: str
    data: Plain
    problems: tuple[ConfigError, ...] = ()
    """What is wrong with the text itself: keys given twice, references that lead nowhere."""
    referred: frozenset[Place] = frozenset()
    """Where values stand that were brought by a reference: they may be secrets."""
    lines: tuple[str, ...] = field(default=(), repr=False)
    root: yaml.Node | None = field(default=None, repr=False)
    _children: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Mappings that were looked into, by key: ten thousand clouds may have a notice each."""

    def place(self, path: Path, *, key: bool = False, offset: int = 0) -> Place:
        """Where the value at `path` begins, or its key; the nearest thing around it if there is no such path.

        `offset` counts characters into the value's text; it is heeded where the file shows the text as it is.
        """
        found_key: yaml.Node | None = None
        node = self.root
        for step in path:
            found = self._child(node, step)
            if found is None:
                break
            found_key, node = found
        chosen = found_key if key and found_key is not None else node
        if chosen is None:
            return Place()
        start = _start(chosen)
        return self._within(chosen, start, offset) if offset else start

    def _child(self, node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            return (None, node.value[step]) if step < len(node.value) else None
        if not isinstance(node, yaml.MappingNode) or not isinstance(step, str):
            return None
        if id(node) not in self._children:
            self._children[id(node)] = _by_key(node.value)
        return self._children[id(node)].get(step)

    def _within(self, node: yaml.Node, start: Place, offset: int) -> Place:
        if not isinstance(node, yaml.ScalarNode) or start in self.referred:
            return start
        first = start.column - 1 + (1 if node.style in ("'", '"') else 0)
        line = self.lines[start.line - 1]
        shown = line[first : first + len(node.value)] == node.value
        return Place(start.line, first + 1 + offset) if shown else start


def parse(text: str, *, file: str, expand: Expand | None = None) -> Document:
    """Read one YAML document.

    Raises `ConfigError` with its position if the text is no YAML; everything else that is wrong with it
    stands in `Document.problems`, so that all of it can be shown at once.
    """
    try:
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from None
    except yaml.YAMLError:
        raise ConfigError("this is not a YAML text", file=file) from None
    reader = _Reader(file, expand)
    data = reader.plain(root) if root is not None else None
    problems, referred = tuple(reader.problems), frozenset(reader.referred)
    return Document(file, data, problems, referred, tuple(text.splitlines()), root)


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    # The parser's own str() quotes the line it stopped at, which may hold a secret; its `problem` does not.
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    # In a list or mapping in brackets, the braces of a reference are YAML's own.
    hint = "; write ${…} in quotes" if "${" in "".join(text.splitlines()[line - 1 : line]) else ""
    message = f"not YAML: {error.problem or error.context}{hint}"
    return ConfigError(message, file=file, line=line, column=column)


def _start(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _by_key(pairs: Pairs, deeper: int = 8) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """A mapping's keys and values; its own win over merged ones, the first of doubles over the later.

    `deeper` bounds merges within merges: a mapping may be merged into itself.
    """
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in pairs:
        if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
            found.setdefault(key.value, (key, value))
    for merged in _merged(pairs):
        if isinstance(merged, yaml.MappingNode) and deeper:
            found = {**_by_key(merged.value, deeper - 1), **found}
    return found


def _merged(pairs: Pairs) -> Iterator[yaml.Node]:
    """The mappings that `<<` brings in, first the ones that win."""
    for key, value in pairs:
        if key.tag == _MERGE:
            yield from value.value if isinstance(value, yaml.SequenceNode) else (value,)


class _Reader:
    """Turns nodes into data and notes what is wrong on the way."""

    def __init__(self, file: str, expand: Expand | None) -> None:
        self.file = file
        self.expand = expand
        self.problems: list[ConfigError] = []
        self.referred: list[Place] = []
        self._open: set[int] = set()
        """Collections being read: meeting one of them again means that it contains itself."""

    def plain(self, node: yaml.Node) -> Plain:
        if node.tag not in _PLAIN_TAGS:
            self.problem(node, "tags are not used here")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if id(node) in self._open:
            self.problem(node, "this contains itself")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node)
            return [self.plain(item) for item in node.value]
        finally:
            self._open.discard(id(node))

    def scalar(self, node: yaml.ScalarNode) -> str | None:
        if node.tag == _NULL:
            return None
        text: str = node.value
        if self.expand is None or "${" not in text:
            return text
        self.referred.append(_start(node))
        try:
            return self.expand(text)
        except ValueError as error:
            self.problem(node, str(error))
            return text

    def mapping(self, node: yaml.MappingNode) -> dict[str, Plain]:
        pairs: Pairs = node.value
        own: dict[str, Plain] = {}
        for key, value in pairs:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(key, "a key must be a text")
            elif key.tag == _MERGE:
                continue
            elif key.value in own:
                first = self._first_line(pairs, key.value)
                self.problem(key, f"{key.value!r} is given twice; first on line {first}")
            else:
                own[key.value] = self.plain(value)
        return self._with_merged(pairs, own) if any(key.tag == _MERGE for key, _ in pairs) else own

    def _with_merged(self, pairs: Pairs, own: dict[str, Plain]) -> dict[str, Plain]:
        for merged in _merged(pairs):
            brought = self.plain(merged)
            if isinstance(brought, dict):
                own = {**own, **{key: value for key, value in brought.items() if key not in own}}
            else:
                self.problem(merged, "<< takes a mapping or a list of mappings")
        return own

    @staticmethod
    def _first_line(pairs: Pairs, name: str) -> int:
        line: int = next(key.start_mark.line for key, _ in pairs if key.value == name)
        return line + 1

    def problem(self, node: yaml.Node, message: str) -> None:
        mark = node.start_mark
        self.problems.append(ConfigError(message, file=self.file, line=mark.line + 1, column=mark.column + 1))
