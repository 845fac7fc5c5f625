"""Calls whose answers must not be late, and one timer for all of them."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from oidproxy.manyclouds.finding.search import HEDGE

TICK = 0.1
"""Seconds: how exact it is when a search begins because an answer is late."""

_log = logging.getLogger("oidproxy.proxy")


class Waiting(Protocol):
    """What waits for an answer."""

    def late(self) -> None:
        """It did not come in time."""
        ...


class Hedges:
    """Those of one worker that wait for an answer; one timer for all, since nearly none is ever late."""

    __slots__ = ("_loop", "_timer", "_waiting")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Waiting, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, one: Waiting, *, late: bool = False) -> None:
        """It has to answer in time; by the next tick, if it is `late` already."""
        self._waiting[one] = self._loop.time() + (0.0 if late else HEDGE)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK, self._tick)

    def discard(self, one: Waiting) -> None:
        """It answered, or nobody waits for it."""
        self._waiting.pop(one, None)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        for one in [one for one, until in self._waiting.items() if until <= now]:
            if self._waiting.pop(one, None) is None:
                continue  # ended by one before it
            try:
                one.late()
            except Exception:  # noqa: BLE001 - all the others wait too
                _log.exception("a late answer was not seen to, by a bug")
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_later(TICK, self._tick)
