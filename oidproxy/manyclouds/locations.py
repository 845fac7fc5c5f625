"""Which clouds hold which ids, as one worker knows it: what it saw itself lately, and what all have seen.

Learned is only what passes anyway and costs next to nothing: ids in answers of several clouds, where they
were found, and what was created. Any other answer of one cloud is passed on unread. No more than `ROOM` ids
are taken in a second: what is too much now comes again with the next answer.
"""

from __future__ import annotations

import re
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.store.terms import Index

ROOM = 2000
"""Ids that are taken between two times of `take`: each costs some two microseconds here, and the parent
more."""

RECENT = 10_000
"""Of so many ids it is remembered that they are learned already; then of half of them no more."""

_UUID = re.compile(rb"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)

_Name = tuple[str, bytes]


def key_of(service_type: str, item: bytes) -> int | None:
    """What stands for an id of this service in the index: 64 bits of a digest, signed.

    None for what is no UUID: numbers and names are the same in many clouds, so there is nothing to learn.
    """
    if _UUID.fullmatch(item) is None:
        return None
    # Keystone and some clients write them without hyphens.
    text = b"%b/%b" % (service_type.encode(), item.replace(b"-", b"").lower())
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)


class Locations:
    """One worker's. What it learned is seen by itself at once, and by others when it was handed over."""

    __slots__ = ("_index", "_older", "_pending", "_recent", "_room")

    def __init__(self, index: Index) -> None:
        self._index = index
        self._recent: dict[_Name, tuple[str, ...]] = {}
        self._older: dict[_Name, tuple[str, ...]] = {}
        self._pending: dict[str, array[int]] = {}
        self._room = ROOM

    async def clouds(self, service_type: str, item: bytes) -> tuple[str, ...]:
        """Whoever was seen to hold this id: where to ask first, and never an answer. Never raises."""
        key = key_of(service_type, item)
        return () if key is None else self._with_mine(await self._index.clouds(key), service_type, item)

    def clouds_now(self, service_type: str, item: bytes) -> tuple[str, ...] | None:
        """The same at once; None where somebody would have to be asked over a network."""
        key = key_of(service_type, item)
        shared = () if key is None else self._index.clouds_now(key)
        return None if shared is None else self._with_mine(shared, service_type, item)

    def _with_mine(self, shared: tuple[str, ...], service_type: str, item: bytes) -> tuple[str, ...]:
        mine = self._lately((service_type, item))
        if not mine or mine == shared:
            return shared
        return tuple(dict.fromkeys((*shared, *mine)))

    def learn(self, cloud: str, service_type: str, items: Iterable[bytes]) -> None:
        """This cloud answered with these ids."""
        for item in items:
            name = service_type, item
            known = self._lately(name)
            if cloud in known:
                continue
            if self._room <= 0:
                return
            key = key_of(service_type, item)
            if key is None:
                continue
            self._room -= 1
            self._pending.setdefault(cloud, array("q")).append(key)
            self._remember(name, (*known, cloud))

    def take(self) -> dict[str, bytes]:
        """Cloud -> keys, as `array("q")` has them: what was learned since the last time, for the index."""
        pending, self._pending = self._pending, {}
        self._room = ROOM
        return {cloud: keys.tobytes() for cloud, keys in pending.items()}

    async def close(self) -> None:
        """Use the index no more."""
        await self._index.close()

    def _lately(self, name: _Name) -> tuple[str, ...]:
        return self._recent.get(name) or self._older.get(name, ())

    def _remember(self, name: _Name, clouds: tuple[str, ...]) -> None:
        self._recent[name] = clouds
        if len(self._recent) >= RECENT // 2:
            self._older, self._recent = self._recent, {}
