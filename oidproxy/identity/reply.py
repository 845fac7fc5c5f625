"""What identity answers: a whole answer, and which of Keystone's fields it may carry on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.http.fields import HOP_BY_HOP, connection_named, steers_scope

if TYPE_CHECKING:
    from oidproxy.http.head import Field, ResponseHead

JSON: Field = (b"Content-Type", b"application/json")
VARY: Field = (b"Vary", b"X-Auth-Token")

_WRITTEN_ANEW = frozenset({b"content-length", b"x-subject-token"})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer without framing: whoever sends it writes its length."""

    status: int
    fields: tuple[Field, ...] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


def subject_field(text: str) -> Field:
    """X-Subject-Token with this text."""
    return b"X-Subject-Token", text.encode("latin-1")


def relayed(head: ResponseHead, *more: Field) -> tuple[Field, ...]:
    """Keystone's fields but for those of one connection, ours, the length and the token; then `more`."""
    named = connection_named(head.fields)
    kept = [each for each in head.fields if _passes(each[0].lower(), named)]
    return (*kept, *more)


def _passes(name: bytes, named: frozenset[bytes]) -> bool:
    return not (name in HOP_BY_HOP or name in named or name in _WRITTEN_ANEW or steers_scope(name))
