"""Asks the clouds of a plan for one item: first those that were seen to hold it, then all others at once.

Theory of operation. A slot is a cloud, or several of which the next is asked where the one before has no
answer (`|`). Each slot is asked by a task, which tells what came to a queue; `run` reads it and knows when it
has heard enough:

- Where something was found, whoever was seen to hold the id is waited for up to `CLAIMED`, since there may be
  two things under it; the others only for a moment in proportion, so that what is slow delays nobody.
- Where those seen to hold it do not say so within `HEDGE`, all others are asked meanwhile.
- Where nothing was found, everybody is heard, or the deadline is over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from oidproxy.clouds.plan import One
from oidproxy.manyclouds.finding.tally import Tally, is_found
from oidproxy.manyclouds.legs import Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from oidproxy.manyclouds.finding.tally import Begun
    from oidproxy.manyclouds.job import Job
    from oidproxy.manyclouds.parts import Unanswered

Slot = tuple[One, ...]

HEDGE = 1.0
"""Seconds after which the others are asked as well; nearly all calls of OpenStack are answered by then."""

CLAIMED = 2.0
"""Seconds for which a cloud that was seen to hold the id is waited for, when another one answered with it."""

LEAST, MOST = 0.1, 0.5
"""Seconds for which the others are waited for, at least and at most: as long again as the first one took. It
costs time only where some are slow, and makes it hard to be quicker than who really has it."""


class Search:
    """One search. Made on the event loop that it serves."""

    __slots__ = ("_enough", "_job", "_loop", "_said", "_tasks", "_under_way", "_waiting", "tally")

    def __init__(self, job: Job, enough: int | None = None) -> None:
        """So many answers are `enough`; None: everybody's."""
        self._job = job
        self._enough = enough
        self._loop = asyncio.get_running_loop()
        self._said: asyncio.Queue[Opened | Unanswered | Slot] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._under_way: set[Slot] = set()
        self._waiting: deque[Slot] = deque()
        self.tally = Tally()

    async def run(
        self, first: Sequence[Slot], others: Callable[[], Sequence[Slot]], begun: Begun | None = None
    ) -> Tally:
        """What they say; the answers in it are open. Nobody is asked any more when this returns or raises.

        `others` gives those that are asked next, and is called where they are. `begun` was asked before, and
        is late already.

        Raises:
            TooManyClouds: they are too many.
        """
        try:
            await self._run(first, others, begun)
        except BaseException:
            self.tally.drop()
            raise
        finally:
            self._end()
        return self.tally

    async def _run(
        self, first: Sequence[Slot], others: Callable[[], Sequence[Slot]], begun: Begun | None
    ) -> None:
        began = self._loop.time()
        hedge, found_at = began + HEDGE, 0.0
        if begun is not None and begun.coming is not None:
            first = [(begun.one,)]
            self._under_way.add(first[0])
            self._tasks.append(self._loop.create_task(self._awaited(first[0], begun.coming)))
            hedge = began
        else:
            self._ask(first or others())
        narrow = bool(first)
        while True:
            found = bool(self.tally.found)
            if found and not found_at:
                found_at = self._loop.time()
            if narrow and not found and (not self._under_way or self._loop.time() >= hedge):
                narrow = False
                self._ask(others())
            if self._heard_enough():
                return
            if found:
                until = self._found_until(began, found_at, first)
            else:
                until = hedge if narrow else self._job.deadline
            if not await self._hear(min(until, self._job.deadline)) and (found or not narrow):
                self._call_silent()
                return

    def _heard_enough(self) -> bool:
        """Whether nothing more can come, or nothing more is wanted."""
        if not self._under_way and not self._waiting:
            return True
        return self._enough is not None and self.tally.answered >= self._enough

    def _found_until(self, began: float, found_at: float, first: Sequence[Slot]) -> float:
        if not self._under_way.isdisjoint(first):
            return began + CLAIMED
        return found_at + min(MOST, max(LEAST, found_at - began))

    # Asking and hearing.

    def _ask(self, slots: Sequence[Slot]) -> None:
        self._job.grant.take(sum(map(len, slots)))
        self._waiting.extend(slots)
        self._begin_more()

    def _begin_more(self) -> None:
        at_most = self._job.registry.limits.fan_out_calls
        while self._waiting and len(self._under_way) < at_most:
            slot = self._waiting.popleft()
            self._under_way.add(slot)
            self._tasks.append(self._loop.create_task(self._probe(slot)))

    async def _probe(self, slot: Slot) -> None:
        """Ask the clouds of a slot, one after the other, until one has it."""
        job = self._job
        try:
            for one in slot:
                part = await job.legs.open(job.fanout.leg(one), deadline=job.deadline)
                self._said.put_nowait(part)
                if is_found(part):
                    return
        finally:
            self._said.put_nowait(slot)

    async def _awaited(
        self, slot: Slot, coming: Callable[[], Coroutine[Any, Any, Opened | Unanswered]]
    ) -> None:
        """The answer of a cloud that was asked before."""
        try:
            self._said.put_nowait(await coming())
        finally:
            self._said.put_nowait(slot)

    async def _hear(self, until: float) -> bool:
        """Take what was said, waiting for something; False if there was nothing by then."""
        try:
            async with asyncio.timeout_at(until):
                self._take(await self._said.get())
        except TimeoutError:
            return False
        while not self._said.empty():
            self._take(self._said.get_nowait())
        self._begin_more()
        return True

    def _take(self, said: Opened | Unanswered | Slot) -> None:
        if isinstance(said, tuple):
            self._under_way.discard(said)
        else:
            self.tally.add(said)

    def _call_silent(self) -> None:
        """Who is still asked, or was not asked at all, by the end of the time."""
        self.tally.silent |= {
            one for slot in (*self._under_way, *self._waiting) for one in slot
        } - self.tally.heard

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        while not self._said.empty():
            # What came last was not looked at.
            said = self._said.get_nowait()
            if isinstance(said, Opened):
                said.drop()
