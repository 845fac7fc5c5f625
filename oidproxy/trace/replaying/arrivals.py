"""Waiting for what other requests of the replay bring."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Arrivals:
    """Of one loop of a replay."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Event] = {}

    def awaited(self, keys: Iterable[str]) -> Sequence[asyncio.Event]:
        """What is set once these came, or are known never to come; asked for while they are still to come."""
        return [self._awaited.setdefault(one, asyncio.Event()) for one in keys]

    def settle(self, keys: Iterable[str]) -> None:
        """Nobody has to wait for these any more."""
        for one in keys:
            event = self._awaited.pop(one, None)
            if event is not None:
                event.set()


async def all_of(events: Iterable[asyncio.Event], seconds: float) -> None:
    """Until all are set, or the time is over: whoever waited then finds what is missing, and says so."""
    try:
        async with asyncio.timeout(seconds):
            for one in events:
                await one.wait()
    except TimeoutError:
        return
