"""Splitting the answer to a list into its rows, as bytes, and reading each one's id and sort keys.

Nothing else of a row becomes an object. The decoder checks the whole document on the way, so a row that comes
out is one JSON object, and whatever a cloud sends can spoil no more than its own rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from oidproxy.manyclouds.merging.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.manyclouds.merging.ranking import Scalar

_SCALARS = frozenset({str, int, float, bool, type(None)})
_ID_AT_MOST = 1024
_ONLY_TEXT = frozenset({str})
_BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NAMES = ("id", "uuid", "secret_ref", "container_ref", "order_ref", "name", "alias")
"""What stands for the id in rows of an API that is not known here."""


@dataclass(slots=True)
class Rows:
    """What one answer holds."""

    list_key: str
    batch: Batch
    """For every member asked for a column; null where rows lack it."""
    next: str
    """The link to a next page; empty if there is none."""
    count: int
    """What the answer says there are in all (Cinder's `with_count`); 0 where it says nothing."""

    @property
    def marker(self) -> str:
        """The marker in that link."""
        try:
            return parse_qs(urlsplit(self.next).query).get("marker", [""])[-1]
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True)
class Garbage:
    """An answer that is no list of rows, and why; safe to show."""

    reason: str


class Reader:
    """Reads the answers to one question."""

    def __init__(self, list_key: str, id_path: tuple[str, ...], members: tuple[str, ...]) -> None:
        """An empty `list_key` is the one member that is a list of objects."""
        self._list_key = list_key
        self._id_path = id_path
        self._members = members
        self._wanted = tuple(dict.fromkeys(filter(_nameable, members)))
        self._shape = _shape(list_key, id_path, self._wanted) if list_key else None

    def read(self, body: bytes) -> Rows | Garbage:
        """The rows of an answer."""
        try:
            if not body.isascii():
                body.decode()  # what is not read is not checked for it
            return self._rows(self._shape or self._found(body), body)
        except _BAD as error:
            return Garbage(_reason(error))

    def _found(self, body: bytes) -> _Shape | None:
        list_key = _list_key(body)
        return _shape(list_key, self._id_path, self._wanted, lenient=True) if list_key else None

    def _rows(self, shape: _Shape | None, body: bytes) -> Rows | Garbage:
        if shape is None:
            return Garbage("it is not an object with one list of objects")
        envelope = shape.envelope.decode(body)
        rows = shape.keyed.decode(body).rows
        for _ in range(shape.depth):
            rows = [row.inner for row in rows]
        ids = [row.id for row in rows]
        if not (self._list_key or _ONLY_TEXT.issuperset(map(type, ids))):
            ids = list(map(_identity, envelope.rows))
        if max(map(len, ids), default=0) > _ID_AT_MOST:
            return Garbage("it has an id longer than any")
        names = shape.names
        batch = Batch(envelope.rows, ids, [_column(rows, names.get(member)) for member in self._members])
        href = _next(envelope) if envelope.named or envelope.links or envelope.next else ""
        count = envelope.count if type(envelope.count) is int else 0
        return Rows(shape.list_key, batch, href, max(count, 0))


def values_of(body: bytes, id_path: tuple[str, ...], members: tuple[str, ...]) -> tuple[Scalar, ...] | None:
    """What one row's own document has under these members; None if it is no such document.

    The row stands in the document's only member (`{"server": {…}}`), or is the document itself (Glance).
    """
    try:
        whole = msgspec.json.decode(body, type=dict[str, Any])
    except _BAD:
        return None
    row = next(iter(whole.values())) if len(whole) == 1 else whole
    if not isinstance(row, dict) or not isinstance(row.get(id_path[-1]), str):
        return None
    return tuple(_scalar(row.get(member)) for member in members)


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return "its rows are not those of this collection"
    if "truncated" in str(error):
        return "its JSON ends too early"
    return "it is not JSON"


@dataclass(frozen=True, slots=True)
class _Shape:
    list_key: str
    envelope: msgspec.json.Decoder[Any]
    keyed: msgspec.json.Decoder[Any]
    names: dict[str, str]
    depth: int
    """How many members a row has to be unpacked from (`{"keypair": {…}}`)."""


@lru_cache(maxsize=256)  # clients choose what to sort by
def _shape(
    list_key: str, id_path: tuple[str, ...], members: tuple[str, ...], *, lenient: bool = False
) -> _Shape:
    """Decoders that skip everything but what merging needs."""
    envelope = msgspec.defstruct(
        "Envelope",
        [("rows", list[msgspec.Raw]), *((name, Any, None) for name in ("named", "next", "links", "count"))],
        rename={"rows": list_key, "named": f"{list_key}_links"},
    )
    names = {member: f"k{place}" for place, member in enumerate(members) if member != id_path[-1]}
    row = msgspec.defstruct(
        "Row",
        [("id", Any, None) if lenient else ("id", str), *((name, Any, None) for name in names.values())],
        rename={"id": id_path[-1], **{name: member for member, name in names.items()}},
        gc=False,
    )
    for step in reversed(id_path[:-1]):
        row = msgspec.defstruct("Row", [("inner", row)], rename={"inner": step}, gc=False)
    keyed = msgspec.defstruct("Keyed", [("rows", list[row])], rename={"rows": list_key}, gc=False)  # type: ignore[valid-type]
    return _Shape(
        list_key,
        msgspec.json.Decoder(envelope),
        msgspec.json.Decoder(keyed),
        names | {id_path[-1]: "id"},
        len(id_path) - 1,
    )


def _column(rows: Sequence[Any], name: str | None) -> list[Scalar]:
    if name is None:
        return [None] * len(rows)
    column = [getattr(row, name) for row in rows]
    if _SCALARS.issuperset(map(type, column)):
        return column
    return list(map(_scalar, column))


def _scalar(value: object) -> Scalar:
    return value if isinstance(value, str | int | float | None) else None


def _nameable(member: str) -> bool:
    """Whether msgspec can look for a member of this name; of others no row has any."""
    return bool(member) and member.isprintable() and not {'"', "\\"} & set(member)


def _list_key(body: bytes) -> str:
    """The name of the one member that is a list of objects; links are none."""
    members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    lists = [
        name
        for name, raw in members.items()
        if name != "links" and not name.endswith("_links") and _is_list(bytes(raw))
    ]
    return lists[0] if len(lists) == 1 else ""


def _is_list(raw: bytes) -> bool:
    return raw[:1] == b"[" and raw[1:].lstrip()[:1] in {b"{", b"]"}


def _identity(raw: msgspec.Raw) -> str:
    row = msgspec.json.decode(raw, type=dict[str, Any])
    for name in _NAMES:
        if isinstance(row.get(name), str | int):
            return str(row[name])
    return sha256(bytes(raw)).hexdigest()[:32]


def _next(envelope: Any) -> str:  # noqa: ANN401 - a structure of msgspec's, made above
    """The link to the next page, in whichever of OpenStack's ways it is given."""
    for links in (envelope.named, envelope.links):
        if isinstance(links, list):
            for link in links:
                if isinstance(link, dict) and link.get("rel") == "next":
                    return str(link.get("href") or "")
        if isinstance(links, dict) and links.get("next"):
            return str(links["next"])
    return str(envelope.next or "")
