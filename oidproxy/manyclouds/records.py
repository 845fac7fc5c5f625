"""What became of each cloud of past requests, for `/.well-known/oidproxy/requests/<id>`.

Only who made a request may ask about it. What all workers have to know lies in the store; of requests that
every cloud answered, which are most, the worker that served them remembers some.
"""

from __future__ import annotations

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


class Records:
    """One worker's."""

    __slots__ = ("_clock", "_here", "_store")

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._here: OrderedDict[str, Record] = OrderedDict()

    async def keep(self, request_id: str, user: bytes, record: Record) -> None:
        """Remember a request of this user's. Raises StoreUnavailable."""
        key = _key(request_id, user)
        self._here[key] = record
        self._here.move_to_end(key)
        if len(self._here) > KEPT_HERE:
            self._here.popitem(last=False)
        if record.failed or record.skipped:
            await self._store.put(key, record.document(), until=self._clock() + KEPT_FOR)

    async def get(self, request_id: str, user: bytes) -> bytes | None:
        """What is known of it, as JSON; None if this user made no such request. Raises StoreUnavailable."""
        key = _key(request_id, user)
        found = self._here.get(key)
        return found.document() if found is not None else await self._store.get(key)


def _key(request_id: str, user: bytes) -> str:
    return f"request/{user.hex()}/{request_id}"
