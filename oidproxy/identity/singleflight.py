"""One question at a time: whoever asks what is already being asked gets the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Runs at most one coroutine per key. A result, or an error, is shared and then forgotten."""

    __slots__ = ("_flights",)

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def do(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` gives, or what the call of it that is under way for this key gives.

        An asker that is cancelled leaves alone: the others still wait for the answer, and the upstream's own
        timeouts bound the work.
        """
        task = self._flights.get(key)
        if task is None:
            task = asyncio.ensure_future(work())
            self._flights[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def _landed(self, key: K, task: asyncio.Task[T]) -> None:
        if self._flights.get(key) is task:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # looked at: every asker may be gone, and that is no bug to be warned of
