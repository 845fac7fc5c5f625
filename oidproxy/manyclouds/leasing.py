"""Work that one process at a time may do: a lease in the store, prolonged for as long as the work takes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from oidproxy.errors import OidproxyError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oidproxy.store.terms import Store

LASTS = 30.0
"""Seconds after which the lease of a process that died is anybody's."""

PROLONGED_EVERY = LASTS / 6

LOOKED_FOR_FIRST = 0.1
LOOKED_FOR_LAST = 2.0
"""Seconds between two looks at a lease that somebody else holds, from the first to the slowest."""

_log = logging.getLogger("oidproxy.manyclouds")

T = TypeVar("T")


class Leases:
    """The leases of one process. `owner` names it; `clock` gives seconds since the epoch."""

    __slots__ = ("_clock", "_owner", "_store")

    def __init__(self, store: Store, owner: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._owner = owner
        self._clock = clock

    async def hold(self, key: str, work: Callable[[], Coroutine[Any, Any, T]], lost: OidproxyError) -> T:
        """Wait for the lease, work under it, give it back. The work is cancelled if the lease is lost.

        Raises:
            lost: it was. StoreUnavailable: it cannot be asked for. Whatever the work raises.
        """
        await self._wait(key)
        prolonging = asyncio.ensure_future(self._prolong(key))
        working = asyncio.ensure_future(work())
        try:
            await asyncio.wait({prolonging, working}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise lost
            return working.result()
        finally:
            prolonging.cancel()
            working.cancel()
            # It may have something to clean up, and does so under the lease.
            await asyncio.wait({prolonging, working})
            with suppress(StoreUnavailable):
                await self._store.release(key, self._owner)

    async def _wait(self, key: str) -> None:
        pause = LOOKED_FOR_FIRST
        while not await self._claim(key):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LOOKED_FOR_LAST)

    async def _prolong(self, key: str) -> None:
        """Returns when the lease is lost."""
        until = self._clock() + LASTS
        while self._clock() < until:
            await asyncio.sleep(PROLONGED_EVERY)
            try:
                if not await self._claim(key):
                    break
            except StoreUnavailable:
                continue
            until = self._clock() + LASTS
        _log.error("the lease of %s was lost", key)

    async def _claim(self, key: str) -> bool:
        return await self._store.claim(key, self._owner, until=self._clock() + LASTS)
