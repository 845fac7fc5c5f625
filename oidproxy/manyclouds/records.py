"""What became of each cloud of past requests, for `/.well-known/oidproxy/requests/<id>`.

Only who made a request may ask about it. What all workers have to know lies in the store, whole; of requests
that every cloud answered, which are most, so many as are no burden, and for a shorter time.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.manyclouds.record import Record
    from oidproxy.store.terms import Store

KEPT_FOR = 3600.0
"""Seconds."""

KEPT_HERE = 200
"""Requests that one worker remembers by itself."""

WHOLE_KEPT_FOR = 300.0
"""Seconds, of requests that every cloud answered …"""
WHOLE_AT_MOST = 20
"""… in each second of one worker: with a thousand clouds each is some kilobytes."""


class Records:
    """One worker's."""

    __slots__ = ("_clock", "_here", "_second", "_shared", "_store", "_written")

    def __init__(self, store: Store, clock: Callable[[], float], *, shared: bool = False) -> None:
        """`shared`: there are other workers, which are asked as well."""
        self._store = store
        self._clock = clock
        self._shared = shared
        self._second, self._written = 0, 0
        self._here: OrderedDict[str, Record] = OrderedDict()

    async def keep(self, request_id: str, user: bytes, record: Record) -> None:
        """Remember a request of this user's. Raises StoreUnavailable."""
        key = _key(request_id, user)
        self._here[key] = record
        self._here.move_to_end(key)
        if len(self._here) > KEPT_HERE:
            self._here.popitem(last=False)
        if record.failed or record.skipped:
            await self._put(key, record, KEPT_FOR)
        elif self._shared and self._has_room():
            await self._put(key, record, WHOLE_KEPT_FOR)

    async def get(self, request_id: str, user: bytes) -> bytes | None:
        """What is known of it, as JSON; None if this user made no such request. Raises StoreUnavailable."""
        key = _key(request_id, user)
        found = self._here.get(key)
        if found is not None:
            return found.document()
        kept = await self._store.get(key)
        return None if kept is None else zlib.decompress(kept)

    async def _put(self, key: str, record: Record, seconds: float) -> None:
        await self._store.put(key, zlib.compress(record.document(), 1), until=self._clock() + seconds)

    def _has_room(self) -> bool:
        now = int(self._clock())
        if now != self._second:
            self._second, self._written = now, 0
        self._written += 1
        return self._written <= WHOLE_AT_MOST


def _key(request_id: str, user: bytes) -> str:
    return f"request/{user.hex()}/{request_id}"
