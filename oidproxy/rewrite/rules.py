"""Key paths of a JSON document that hold links, compiled so that a scanner can follow them key by key.

A path is written `servers/links/href`. Arrays do not count: it means the `href` of every link of every
server. `*` is any one key, `*_links` any key with that end, `**` any number of keys (at the beginning only).
Wildcards never match the keys of `USER_DATA`: what users wrote there is theirs, whatever it looks
like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

USER_DATA = frozenset(
    {
        "attributes",
        "description",
        "driver_info",
        "environment",
        "extra",
        "extra_specs",
        "files",
        "input",
        "input_values",
        "instance_info",
        "labels",
        "meta",
        "meta_data",
        "metadata",
        "name",
        "output",
        "output_values",
        "outputs",
        "parameters",
        "params",
        "payload",
        "personality",
        "properties",
        "scheduler_hints",
        "tags",
        "template",
        "user_data",
        "volume_image_metadata",
    }
)
"""Keys whose values are what a user stored."""

KEY_AT_MOST = 1024
"""Longer keys are nobody's: what they hold is left alone."""

_Path = tuple[str, ...]
_State = frozenset[tuple[int, int]]

_OTHER = "\0"
"""Stands for every key that no path names."""

# Nothing is tried again once it was read (no quadratic inputs). Where more than one character repeats, an
# atomic group says so: a possessive quantifier around alternatives matches wrongly before Python 3.11.5, and
# Debian 12 has 3.11.2 (gh-106052).
TEXT = rb'[^"\\]*+(?>(?:\\.[^"\\]*+)*)'
STRING = rb'"' + TEXT + rb'"'
FILLER = rb'[^"{}\[\]]*+'
_SCALAR = rb'[^\s"{}\[\],:]++'


def _group(inside: bytes) -> bytes:
    """An array or object of strings, scalars and `inside`."""
    return rb"[\[{]" + FILLER + rb"(?>(?:(?:" + inside + rb")" + FILLER + rb")*)[\]}]"


GROUP = _group(STRING + rb"|" + _group(STRING + rb"|" + _group(STRING)))
"""An array or object at most three deep; deeper ones are walked."""


class Node:
    """A place in the document. Never changed once its rule set is built."""

    __slots__ = ("children", "ends", "known", "link", "live", "next_member", "other")

    def __init__(self, *, link: bool, live: bool) -> None:
        self.link = link
        """Whether a string here is a link."""
        self.live = live
        """Whether a link may stand below."""
        self.children: Mapping[bytes, Node] = {}
        self.ends: tuple[tuple[bytes, Node], ...] = ()
        self.other: Node | None = None
        self.next_member: re.Pattern[bytes] = re.compile(rb"(?!)")
        """In an object: skips members without links; takes a name and its value's first byte, or the end."""
        self.known: dict[str, Node] = {}
        """What `named` said; most names come again and again."""

    def child(self, name: bytes) -> Node:
        """What a member of this name leads to."""
        found = self.children.get(name)
        if found is not None:
            return found
        for end, node in self.ends:
            if name.endswith(end):
                return node
        return self.other or DEAD

    def named(self, name: str) -> Node:
        """The same for a name that was read, if it is no longer than `KEY_AT_MOST`."""
        encoded = name.encode("utf-8", "surrogatepass")
        found = self.child(encoded) if len(encoded) <= KEY_AT_MOST else DEAD
        if len(self.known) < _NAMES_KEPT:
            self.known[name] = found
        return found


_NAMES_KEPT = 256
"""Names that a node remembers; clouds choose them."""

DEAD = Node(link=False, live=False)
"""Nothing here and nothing below is a link."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Where the links of one kind of document are."""

    paths: tuple[str, ...]
    root: Node = field(repr=False, compare=False)
    version_document: bool = False
    """Whether the document tells the cloud's own idea of its URLs (`rewrite.versions`)."""

    @classmethod
    def of(cls, *paths: str, version_document: bool = False) -> RuleSet:
        """The rule set of some paths."""
        compiled = _Compiler([tuple(path.split("/")) for path in paths])
        return cls(paths, compiled.root(), version_document)


class _Compiler:
    """Makes a deterministic machine of all paths together, one node per set of places reached."""

    def __init__(self, paths: list[_Path]) -> None:
        self._paths = paths
        self._nodes: dict[_State, Node] = {frozenset(): DEAD}

    def root(self) -> Node:
        return self._node(self._closed((index, 0) for index in range(len(self._paths))))

    def _node(self, state: _State) -> Node:
        if state in self._nodes:
            return self._nodes[state]
        segments = {self._paths[index][place] for index, place in state if place < len(self._paths[index])}
        node = Node(link=any(place == len(self._paths[index]) for index, place in state), live=bool(segments))
        self._nodes[state] = node
        exact = {one for one in segments if not one.startswith("*")}
        if exact != segments:
            exact |= USER_DATA
        ends = [one[1:] for one in segments if one.startswith("*") and one.strip("*")]
        node.children = {one.encode(): self._node(self._step(state, one)) for one in sorted(exact)}
        node.ends = tuple((end.encode(), self._node(self._step(state, _OTHER + end))) for end in sorted(ends))
        other = self._node(self._step(state, _OTHER))
        node.other = None if other is DEAD else other
        node.next_member = _next_member(node)
        return node

    def _step(self, state: _State, key: str) -> _State:
        return self._closed(self._moves(state, key))

    def _moves(self, state: _State, key: str) -> Iterator[tuple[int, int]]:
        for index, place in state:
            path = self._paths[index]
            if place < len(path) and _matches(path[place], key):
                yield index, place if path[place] == "**" else place + 1

    def _closed(self, places: Iterable[tuple[int, int]]) -> _State:
        """With `**`, which may stand for no key at all, also the place behind it."""
        found = set(places)
        for index, place in tuple(found):
            path = self._paths[index]
            if place < len(path) and path[place] == "**":
                found.add((index, place + 1))
        return frozenset(found)


def _matches(segment: str, key: str) -> bool:
    if not segment.startswith("*"):
        return segment == key
    return key not in USER_DATA and key.endswith(segment.lstrip("*"))


def _next_member(node: Node) -> re.Pattern[bytes]:
    skipped = rb'(?>(?:[\s,]*+"' + _plain_name(node) + rb'"\s*+:\s*+(?:' + _plain_value(node) + rb"))*)"
    member = rb'"([^"\\]*+)"\s*+:\s*+(["{\[])'
    return re.compile(skipped + FILLER + rb"(?:" + member + rb"|(}))", re.DOTALL)


def _plain_name(node: Node) -> bytes:
    """A name that leads to no link; where any name may lead to an array or object, only links count."""

    def matters(child: Node) -> bool:
        return child.link or (child.live and node.other is None)

    if node.other is not None and node.other.link:
        return rb"(?!)"
    names = [re.escape(name) + rb'"' for name, child in node.children.items() if matters(child)]
    names += [rb'[^"]*' + re.escape(end) + rb'"' for end, child in node.ends if matters(child)]
    return (rb"(?!" + rb"|".join(names) + rb")" if names else rb"") + rb'[^"\\]*+'


def _plain_value(node: Node) -> bytes:
    values = [STRING, _SCALAR] if node.other is not None else [STRING, _SCALAR, GROUP]
    return rb"|".join(values)
