"""What the workers learned of where ids are, written to the index by the parent alone."""

from __future__ import annotations

import asyncio
import logging
from array import array
from typing import TYPE_CHECKING

from oidproxy.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.store.terms import Index

WAITING_AT_MOST = 50_000
"""Ids that wait for a store that is slow; what comes then is learned another time."""

PAUSE = 1.0
PAUSE_AFTER_FAILURE = 30.0
"""Seconds."""

_log = logging.getLogger("oidproxy.proxy")


class Learner:
    """Writes what it hears, one batch after the other."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._waiting: dict[str, array[int]] = {}

    def hear(self, found: Mapping[str, bytes]) -> None:
        """Cloud -> keys, as a worker told them."""
        for cloud, keys in found.items():
            if sum(map(len, self._waiting.values())) >= WAITING_AT_MOST:
                return
            self._waiting.setdefault(cloud, array("q")).frombytes(keys)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            if not await self.write():
                await asyncio.sleep(PAUSE_AFTER_FAILURE)

    async def write(self) -> bool:
        """Write what waits; False if that failed, and it is lost: it comes again with other answers."""
        found, self._waiting = self._waiting, {}
        try:
            if found:
                await self._index.add(found)
        except StoreUnavailable as error:
            _log.warning("%d ids were not learned: %s", sum(map(len, found.values())), error.message)
            return False
        return True

    async def close(self) -> None:
        """Write what waits, and use the index no more."""
        await self.write()
        await self._index.close()
