"""One request of a trace with the ids, names and projects of this replay, as it is to be sent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import quote, unquote_plus

from oidproxy.trace import bodies, kinds
from oidproxy.trace.hiding import HIDDEN
from oidproxy.trace.kinds import ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.trace.kinds import Kind
    from oidproxy.trace.line import Line

DIGEST = "{SHA256}"
"""Begins what stands for a secret in a recorded body, where HIDDEN does not."""

PASSWORDS = frozenset({"adminpass", "password", "admin_pass", "original_password"})
PASSWORD = "Replayed-0"  # noqa: S105 - stands where the trace hides one; it protects nothing

GONE: Mapping[tuple[str, str], str] = MappingProxyType(
    {("compute", "v2"): "v2.1", ("block-storage", "v2"): "v3"}
)
"""Versions that logs of old have and no cloud any more -> what took their place and answers alike.

Nova's v2.1 is what v2 was, but for stricter checks ("API Microversion History", 2.1); Cinder's v3 begins as
v2 was ("REST API Version History", 3.0).
"""

READS = frozenset({"GET", "HEAD"})
_NAMES = frozenset({"name", "key_name", "display_name", "displayname"})


class Who(NamedTuple):
    """The account that sends in place of a recorded user."""

    user_id: str = ""
    project_id: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as it is to be sent."""

    path: str
    query: str
    body: Any | None = None
    """JSON …"""
    data: int = 0
    """… or so many bytes of anything."""
    content_type: str = ""
    login: bool = False
    """It signs in: its body is made from the account."""
    subject: bool = False
    """It asks about a token (X-Subject-Token)."""
    made_up: tuple[str, ...] = ()
    """What of it is not from the trace: `body`, `data`, `id`, `secret`, `token`, `version`."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """It cannot be sent, and why."""

    why: str


class Book(Protocol):
    """What is known of ids and names (`Remapping`)."""

    suffix: str

    @property
    def learned(self) -> Mapping[str, str]:
        """Recorded id -> id of now."""

    @property
    def names(self) -> Mapping[str, str]:
        """Recorded name -> name of now, of what the trace makes."""

    def here(self, recorded: str, kind: Kind, filling: Filling) -> str:
        """The id of now, or the recorded one with a reason in `filling.why`."""

    def any(self, kind: Kind, line: Line) -> str | None:
        """Some id of a kind."""

    def renamed(self, name: str) -> str:
        """What something that the trace makes is called here."""


class Filling:
    """One request on its way; `why` says what is missing."""

    def __init__(self, book: Book, line: Line, who: Who) -> None:
        self._book = book
        self.line, self.who = line, who
        self.made_up: list[str] = []
        self.why = ""
        self._in_path = False
        self.marks = False
        """The id that is looked for is a page's marker."""

    def may_guess(self, kind: Kind) -> bool:
        """Whether anything of the kind will do: nothing that is somebody's is changed on a guess."""
        return self.line.method in READS or (not self._in_path and kind in kinds.SHARED)

    def prepared(self) -> Prepared | Unmatched:
        """How it is to be sent."""
        line = self.line
        if not line.path.startswith("/"):
            # Put behind `http://127.0.0.1:9292`, `@elsewhere/…` would be another host's (RFC 3986, 3.2.1).
            return Unmatched("its path does not begin with a slash")
        if line.service == "identity" and line.path.rstrip("/").endswith("/auth/tokens"):
            if line.method == "POST":
                return Prepared(line.path, line.query, login=True, made_up=("token",))
            return Prepared(line.path, self._query(), subject=True)
        self._in_path = True
        path = self._path()
        self._in_path = False
        query = self._query()
        body, data, content_type = self._body()
        if self.why:
            return Unmatched(self.why)
        return Prepared(path, query, body, data, content_type, made_up=tuple(self.made_up))

    def _path(self) -> str:
        line, path = self.line, self.line.path
        version, _, rest = path.lstrip("/").partition("/")
        if (line.service, version) in GONE:
            project, _, behind = rest.partition("/")
            if line.service == "compute" and ID.fullmatch(project):
                rest = behind  # it may be left out since 2.18, for every version
            path = f"/{GONE[line.service, version]}/{rest}"
            self.made_up.append("version")
        if self._book.names:
            path = "/".join(self._renamed(one) for one in path.split("/"))
        if not ID.search(path):
            return path
        segments = path.split("/")
        for at, segment in enumerate(segments):
            if segment and ID.search(segment):
                kind = kinds.of_path(line.service, segments, at)
                segments[at] = ID.sub(lambda found, kind=kind: self._book.here(found[0], kind, self), segment)  # type: ignore[misc]
        return "/".join(segments)

    def _query(self) -> str:
        line = self.line
        if not line.query:
            return ""
        found = []
        for pair in line.query.split("&"):
            key, equals, value = pair.partition("=")
            if self._book.names and key in _NAMES:
                value = self._renamed_query(value)
            elif ID.search(value):
                kind = kinds.of_query(line.service, line.path, unquote_plus(key))
                self.marks = key == "marker"
                value = ID.sub(lambda one, kind=kind: self._book.here(one[0], kind, self), value)  # type: ignore[misc]
                self.marks = False
            found.append(f"{key}{equals}{value}")
        return "&".join(found)

    def _body(self) -> tuple[Any | None, int, str]:
        """JSON, data, type."""
        line = self.line
        method, service, path = line.method, line.service, line.path
        if line.request_body is not None:
            body = self._walked(line.request_body, "")
            if line.made and method == "POST":
                self._rename(body)
            return body, 0, line.content_type or "application/json"
        if bodies.takes_data(method, service, path):
            if line.bytes_in:
                self.made_up.append("data")
            return None, line.bytes_in, line.content_type or bodies.DATA
        if bodies.goes_without(method, service, path) or self._had_none():
            return None, 0, line.content_type
        return self._invented()

    def _had_none(self) -> bool:
        """Whether the trace tells that there was no body, rather than nothing of it."""
        line = self.line
        return (
            line.method != "POST"
            and not line.bytes_in
            and "bytes_in" not in line.made_up
            and line.status < 300
        )

    def _invented(self) -> tuple[Any | None, int, str]:
        line = self.line
        if line.service == "compute" and line.path.endswith("/action"):
            self.why = "the trace does not say which action it was"
            return None, 0, ""
        wish = bodies.Wish(
            f"replayed-{line.n}{self._book.suffix}", line.n, lambda kind: self._book.any(kind, line)
        )
        body = bodies.body_of(line.method, line.service, line.path, wish)
        if body is None:
            self.why = (
                f"it has no body, and none can be made up for {line.method} {line.template or line.path}"
            )
            return None, 0, ""
        self.made_up.append("body")
        is_patch = line.method == "PATCH" and line.service == "image"
        return body, 0, bodies.MERGE if is_patch else "application/json"

    def _walked(self, value: Any, key: str) -> Any:
        """A recorded body with the ids of now. What it hides is left out, or made up if it is a password."""
        if isinstance(value, dict):
            return {
                name: self._walked(one, kinds.key_in(value, name))
                for name, one in value.items()
                if not (_is_hidden(one) and self._leaves_out(name))
            }
        if isinstance(value, list):
            return [self._walked(one, key) for one in value]
        return self._text(value, key) if isinstance(value, str) else value

    def _text(self, value: str, key: str) -> str:
        if _is_hidden(value):
            return PASSWORD
        if self._book.names and key in _NAMES:
            return self._book.names.get(value, value)
        return ID.sub(lambda found: self._in_body(found[0], key), value)

    def _leaves_out(self, name: str) -> bool:
        """Whether a key whose value the trace hides is left out."""
        if "secret" not in self.made_up:
            self.made_up.append("secret")
        return name.lower() not in PASSWORDS

    def _in_body(self, recorded: str, key: str) -> str:
        kind = kinds.KEYS.get(key.lower())
        if kind is None:
            return self._book.learned.get(recorded, recorded)
        return self._book.here(recorded, kind, self)

    def _rename(self, body: Any) -> None:
        """What a loop or a run makes has a name of its own, which later requests use too."""
        if not isinstance(body, dict):
            return
        inner = next((one for one in body.values() if isinstance(one, dict)), body)
        target = body if isinstance(body.get("name"), str) else inner
        if isinstance(target.get("name"), str):
            target["name"] = self._book.renamed(target["name"])

    def _renamed(self, segment: str) -> str:
        found = self._book.names.get(unquote_plus(segment))
        return segment if found is None else quote(found, safe="")

    def _renamed_query(self, value: str) -> str:
        """Nova takes a regular expression: `^name$`."""
        plain = unquote_plus(value)
        bare = plain.removeprefix("^").removesuffix("$")
        found = self._book.names.get(bare)
        return value if found is None else quote(plain.replace(bare, found, 1), safe="")


def _is_hidden(value: Any) -> bool:
    return isinstance(value, str) and (value == HIDDEN or value.startswith(DIGEST))
