"""Work that one at a time may do, of all processes: a lease in the store, prolonged while the work lasts."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from oidproxy.errors import OidproxyError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oidproxy.store.terms import Store

LASTS = 30.0
"""Seconds after which the lease of a process that died is anybody's."""

PROLONGED_EVERY = LASTS / 6

_log = logging.getLogger("oidproxy.manyclouds")

T = TypeVar("T")


class Taken(Exception):
    """Somebody else holds the lease now."""


class Leases:
    """The leases of one store. `clock` gives seconds since the epoch."""

    __slots__ = ("_clock", "_store")

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def hold(self, key: str, work: Callable[[], Coroutine[Any, Any, T]], lost: OidproxyError) -> T:
        """Take the lease, work under it, give it back. The work is cancelled if the lease is lost.

        Each hold is an owner of its own: two of one process exclude each other as those of two do.

        Raises:
            Taken: somebody else holds it. lost: it was lost. StoreUnavailable: it cannot be asked for.
            Whatever the work raises.
        """
        owner = str(uuid4())
        try:
            taken = await self._claim(key, owner)
        except asyncio.CancelledError:
            # The claim may have been written all the same; nobody else has this owner's name.
            await self._release(key, owner)
            raise
        if not taken:
            raise Taken
        prolonging = asyncio.ensure_future(self._prolong(key, owner))
        working = asyncio.ensure_future(work())
        try:
            await asyncio.wait({prolonging, working}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise lost
            return working.result()
        finally:
            working.cancel()
            # It may have something to clean up, and does so under the lease.
            await asyncio.wait({working})
            prolonging.cancel()
            await asyncio.wait({prolonging})
            await self._release(key, owner)

    async def _release(self, key: str, owner: str) -> None:
        with suppress(StoreUnavailable):
            await self._store.release(key, owner)

    async def _prolong(self, key: str, owner: str) -> None:
        """Returns when the lease is lost."""
        until = self._clock() + LASTS
        while self._clock() < until:
            await asyncio.sleep(PROLONGED_EVERY)
            try:
                if not await self._claim(key, owner):
                    break
            except StoreUnavailable:
                continue
            until = self._clock() + LASTS
        _log.error("the lease of %s was lost", key)

    async def _claim(self, key: str, owner: str) -> bool:
        return await self._store.claim(key, owner, until=self._clock() + LASTS)
