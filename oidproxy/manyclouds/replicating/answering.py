"""What is answered to a request of several clouds: the first cloud's words, or a row for each of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from oidproxy.http.answer import reason
from oidproxy.identity.reply import JSON
from oidproxy.manyclouds.parts import Shown
from oidproxy.manyclouds.record import SAFE
from oidproxy.scope.canonical import canonical_expr
from oidproxy.scope.tree import CloudName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidproxy.http.head import Field
    from oidproxy.manyclouds.replicating.counterparts import Missing
    from oidproxy.manyclouds.replicating.journal import Intent

NOTHING: Mapping[str, str] = MappingProxyType({})

REPLICAS = b"X-Scope-Replicas"
UNCERTAIN = b"X-Scope-Uncertain"
ERROR = b"X-Oidproxy-Error"
CODE = b"replicas"

NAMES_SHOWN = 8

_REPLICAS_AT_MOST = 8192
"""Bytes of the field: servers and proxies before us refuse longer lines."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a request in one cloud."""

    cloud: str
    outcome: str
    """`made`, `undone`, `undoing`, `not made`, `uncertain`; `done`, `pending`, `failed`; `not here` …"""
    id: str = ""
    status: int = 0
    said: str = ""

    def written(self) -> dict[str, object]:
        """As it stands in an answer; what is not known is left out."""
        found: dict[str, object] = {"cloud": self.cloud, "outcome": self.outcome}
        found |= {"id": self.id} if self.id else {}
        found |= {"status": self.status} if self.status else {}
        return found | ({"message": self.said} if self.said else {})


def rows_of(intent: Intent, said: Mapping[str, str] = NOTHING) -> tuple[Row, ...]:
    """A row for each cloud that was asked, with what it said where that is known."""
    rows: list[Row] = []
    for one in intent.attempts:
        outcome = "uncertain" if one.state.value == "sending" else one.state.value
        if outcome != "reserved":
            rows.append(Row(one.cloud, outcome, one.id, one.status, said.get(one.cloud) or one.said))
    return tuple(rows)


def success(shown: Shown, replicas: Mapping[str, str]) -> Shown:
    """The answer of one cloud, with the ids of all replicas."""
    return Shown(shown.status, (*shown.fields, *replicas_field(replicas)), shown.body)


def failure(
    status: int,
    message: str,
    rows: Iterable[Row],
    *,
    uncertain: Iterable[str] = (),
    replicas: Mapping[str, str] = NOTHING,
) -> Shown:
    """An error in OpenStack's shape, and beside it a row for each cloud."""
    rows = tuple(rows)
    title = reason(status).decode("ascii")
    said = {
        "error": {"code": status, "title": title, "message": message},
        "clouds": [row.written() for row in rows],
    }
    own: tuple[Field, ...] = (JSON, (ERROR, CODE), *replicas_field(replicas))
    unclear = tuple(uncertain)
    if unclear:
        own = (*own, (UNCERTAIN, b", ".join(map(named, unclear))))
    return Shown(status, own, json.dumps(said).encode("ascii"))


def no_counterpart(missing: Iterable[Missing]) -> Shown:
    """What the request names is not in every cloud; nothing was sent."""
    missing = tuple(missing)
    silent = any(one.silent for one in missing)
    rows = [Row(one.cloud, "no counterpart", one.reference.id, said=one.said) for one in missing]
    first = missing[0]
    message = (
        f"The {first.reference.named[1]} {first.reference.id} that this request names has no counterpart in "
        f"{names(one.cloud for one in missing)}: {first.said}. Nothing was sent."
    )
    return failure(504 if silent else 409, message, rows)


def names(clouds: Iterable[str]) -> str:
    """Clouds in a sentence; not all where they are many."""
    found = tuple(dict.fromkeys(clouds))
    more = len(found) - NAMES_SHOWN
    return ", ".join(found[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def accepted(rows: Iterable[Row]) -> Shown:
    """It is done where it could be done now; the rest follows by itself."""
    return Shown(202, (JSON,), json.dumps({"clouds": [row.written() for row in rows]}).encode("ascii"))


def replicas_field(replicas: Mapping[str, str]) -> tuple[Field, ...]:
    """`X-Scope-Replicas: a=<id>,b=<id>`, as many of them as fit."""
    pairs: list[bytes] = []
    left = _REPLICAS_AT_MOST
    for cloud, found in replicas.items():
        pair = named(cloud) + b"=" + _token(found)
        left -= len(pair) + 1
        if left < 0:
            break
        pairs.append(pair)
    return ((REPLICAS, b",".join(pairs)),) if pairs else ()


def named(cloud: str) -> bytes:
    """A cloud's name as in a scope."""
    return quote(canonical_expr(CloudName(cloud)), safe=SAFE).encode("ascii")


def _token(text: str) -> bytes:
    """An id as a field's value: whatever a cloud says, it stays one line."""
    return bytes(byte for byte in text.encode("utf-8", "replace") if 0x20 < byte != 0x7F and byte != 0x2C)
