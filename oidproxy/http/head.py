"""Heads of HTTP/1.1 messages as values; `http.parse` decides what may be in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oidproxy.quickly import quickly

if TYPE_CHECKING:
    from collections.abc import Mapping

Field = tuple[bytes, bytes]
"""A field's name as it came, and its value without the blanks around it."""


@dataclass(frozen=True, slots=True)
class NoBody:
    """No body follows the head."""


@dataclass(frozen=True, slots=True)
class Length:
    """Exactly this many bytes follow."""

    size: int


@dataclass(frozen=True, slots=True)
class Chunked:
    """Chunks follow (RFC 9112 section 7.1)."""


@dataclass(frozen=True, slots=True)
class UntilClose:
    """Everything until the connection closes; answers only (RFC 9112 section 6.3, item 8)."""


Framing = NoBody | Length | Chunked | UntilClose


def share_memo(head: RequestHead | ResponseHead, other: RequestHead | ResponseHead) -> None:
    """Say that one head, just made, has the shape of the other."""
    object.__setattr__(head, "memo", other.memo)


@quickly
@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request line and its fields, accepted by every rule of `http.parse`."""

    method: str
    target: bytes = field(repr=False)
    """In origin form, byte for byte as it came (an absolute-form target has lost its authority), or `*`."""
    host: bytes
    """The authority that the client asked: of the absolute form, else of Host. Empty only in HTTP/1.0."""
    minor: int
    """1 for HTTP/1.1, 0 for HTTP/1.0."""
    fields: tuple[Field, ...] = field(repr=False)
    framing: Framing
    keep_alive: bool
    expects_continue: bool
    index: Mapping[bytes, bytes] = field(repr=False)
    """Lower-case name -> value of the first field of that name."""
    absolute: bool = False
    """Whether the target came in absolute form, so that `host` has to be one of ours (checklist B3)."""
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was found out about this head and holds for every one of its shape (`http.shapes`).

    It is given to no copy: a changed one is of another shape.
    """

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """What follows the first `?`, or nothing."""
        return self.target.partition(b"?")[2]

    def get(self, name: bytes) -> bytes | None:
        """The value of the field with this lower-case name."""
        return self.index.get(name)

    def text(self, name: bytes) -> str | None:
        """The same as text; bytes above 127 come out as Latin-1."""
        value = self.index.get(name)
        return None if value is None else value.decode("latin-1")


@quickly
@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A status line and its fields, with the framing that the request's method implies."""

    status: int
    reason: bytes
    minor: int
    fields: tuple[Field, ...] = field(repr=False)
    framing: Framing
    keep_alive: bool
    index: Mapping[bytes, bytes] = field(repr=False)
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """As in `RequestHead`."""

    def get(self, name: bytes) -> bytes | None:
        """The value of the first field with this lower-case name."""
        return self.index.get(name)

    @property
    def informational(self) -> bool:
        """Whether this is a 1xx that another head follows."""
        return 100 <= self.status < 200
