"""How far each cloud's rows have been taken, and that as a marker: a text that a client hands back."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from oidproxy.errors import BadRequest
from oidproxy.manyclouds.merging.ranking import Scalar, Values  # noqa: TC001 - msgspec reads the types
from oidproxy.tokens import base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

STATELESS_AT_MOST = 1024
"""Characters of a marker that holds everything itself; a longer one is kept in the store."""

_OURS = "oidm~"
_STORED = "oids~"
_VERSION = 1
_LEG = 6
_INFLATED_AT_MOST = 64 * 1024
_PLAIN, _DEFLATED = b"\0", b"\1"
_TEXT_AT_MOST = 1024
_UUID, _HEX, _TEXT = b"u", b"x", b"t"
_HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Place:
    """A row in one cloud's list: the last that was taken."""

    id: str
    values: Values
    """What it has under the keys of the order."""
    orders: int = -1
    """A bit for every ranking under which all rows taken so far came in order."""
    earlier: tuple[str, ...] = ()
    """The ids of rows taken before it, the latest first, should this one be deleted meanwhile …"""
    complete: bool = False
    """… and whether these are all that were."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins."""

    binding: bytes
    """Stands for the user, the collection and the query that it was made for."""
    places: Mapping[bytes, Place] = field(default_factory=lambda: MappingProxyType({}))
    """Of every cloud of which rows were taken, by `leg_key`."""
    ranking: int = 0
    """By which ranking the pages are merged."""
    start: Place | None = None
    """The row whose plain id the client gave as marker: where clouds without a place begin …"""
    start_leg: bytes = b""
    """… and the cloud that has it."""
    unknown: str = ""
    """The last row shown of those that are known of clouds that are silent."""

    def place(self, leg: str) -> Place | None:
        """The last row taken of a cloud."""
        return self.places.get(leg_key(leg))

    def encode(self) -> bytes:
        """All of it, to be kept or to be made a text of."""
        places = self.places.values()
        return msgspec.msgpack.encode(
            _Wire(
                _VERSION,
                self.binding,
                self.ranking,
                self.unknown,
                None if self.start is None else _wired(self.start),
                self.start_leg,
                b"".join(self.places),
                list(map(_wired, places)),
            )
        )


@dataclass(frozen=True, slots=True)
class Marker:
    """A cursor as the client gets it."""

    text: str
    kept: tuple[tuple[str, bytes], ...] = ()
    """What the store must hold for it, by key."""


def leg_key(leg: str) -> bytes:
    """Six bytes for the name of a cloud: of ten thousand, two are alike once in five million fleets."""
    return sha256(leg.encode()).digest()[:_LEG]


def marker_of(cursor: Cursor) -> Marker:
    """The cursor as text, by itself where it is short enough."""
    plain = cursor.encode()
    if len(plain) <= 2 * STATELESS_AT_MOST:
        deflated = zlib.compress(plain, 9)
        best = _PLAIN + plain if len(plain) <= len(deflated) else _DEFLATED + deflated
        text = _OURS + base64url.encode(best)
        if len(text) <= STATELESS_AT_MOST:
            return Marker(text)
    text = _STORED + base64url.encode(sha256(plain).digest()[:18])
    return Marker(text, ((text, plain),))


def alias(binding: bytes, identity: str) -> str:
    """The key under which the marker behind a page is kept, that ends with the row of this id."""
    return "oidr~" + base64url.encode(
        sha256(b"row\0" + binding + identity.encode("utf-8", "surrogatepass")).digest()[:18]
    )


def is_ours(text: str) -> bool:
    """Whether a marker is one of ours, and no row's id."""
    return text.startswith((_OURS, _STORED))


def is_stored(text: str) -> bool:
    """Whether a marker of ours is the key to what the store holds."""
    return text.startswith(_STORED)


def opened(text: str, binding: bytes) -> Cursor:
    """The cursor in a marker that holds it; BadRequest if it is not one for this user and query."""
    try:
        data = base64url.decode(text.removeprefix(_OURS))
        plain = data[1:] if data[:1] == _PLAIN else _inflated(data[1:])
    except (ValueError, zlib.error):
        raise _bad() from None
    return decoded(plain, binding)


def decoded(plain: bytes, binding: bytes) -> Cursor:
    """The cursor that `Cursor.encode` made these bytes of; BadRequest if it is for another user or query."""
    try:
        wire = msgspec.msgpack.decode(plain, type=_Wire)
        places = [_place(one) for one in wire.places]
        start = None if wire.start is None else _place(wire.start)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise _bad() from None
    if wire.version != _VERSION or wire.binding != binding or len(wire.legs) != _LEG * len(places):
        raise _bad()
    legs = [wire.legs[at : at + _LEG] for at in range(0, len(wire.legs), _LEG)]
    return Cursor(
        binding,
        dict(zip(legs, places, strict=True)),
        wire.ranking,
        start,
        wire.start_leg,
        wire.unknown,
    )


def expired() -> BadRequest:
    """For a marker of ours that the store no longer holds."""
    return BadRequest("The marker has expired: begin again at the first page.")


def _bad() -> BadRequest:
    return BadRequest("The marker is not one that this proxy gave for this query: begin at the first page.")


def _inflated(data: bytes) -> bytes:
    """Never more than what a marker of ours could hold."""
    inflater = zlib.decompressobj()
    plain = inflater.decompress(data, _INFLATED_AT_MOST)
    if not inflater.eof:
        raise ValueError
    return plain


class _WirePlace(msgspec.Struct, array_like=True, frozen=True, gc=False):
    ids: tuple[bytes, ...]
    """Of the row, and of those before it."""
    values: tuple[Scalar, ...]
    orders: int
    complete: bool


class _Wire(msgspec.Struct, array_like=True, frozen=True):
    version: int
    binding: bytes
    ranking: int
    unknown: str
    start: _WirePlace | None
    start_leg: bytes
    legs: bytes
    places: list[_WirePlace]


def _wired(place: Place) -> _WirePlace:
    ids = tuple(map(_packed, (place.id, *place.earlier)))
    return _WirePlace(ids, tuple(map(_storable, place.values)), place.orders, place.complete)


def _place(wire: _WirePlace) -> Place:
    identity, *earlier = map(_unpacked, wire.ids)
    return Place(identity, wire.values, wire.orders, tuple(earlier), wire.complete)


def _storable(value: Scalar) -> Scalar:
    """A value as it may be kept: no number too large, and no text longer than any database's own."""
    if isinstance(value, str):
        return value[:_TEXT_AT_MOST]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return None
    return value


def _packed(identity: str) -> bytes:
    """An id in few bytes; the first says whether it is a UUID, one without dashes (Keystone), or any text."""
    if len(identity) == 36 and identity[8::5][:4] == "----":
        digits = identity.replace("-", "")
        if len(digits) == 32 and _HEXADECIMAL.issuperset(digits):
            return _UUID + bytes.fromhex(digits)
    if len(identity) == 32 and _HEXADECIMAL.issuperset(identity):
        return _HEX + bytes.fromhex(identity)
    return _TEXT + identity.encode()


def _unpacked(packed: bytes) -> str:
    kind, rest = packed[:1], packed[1:]
    if kind == _UUID:
        return str(UUID(bytes=rest))
    return rest.hex() if kind == _HEX else rest.decode()
