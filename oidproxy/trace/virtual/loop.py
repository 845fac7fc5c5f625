"""An asyncio event loop with a clock of its own: when nothing is ready, time jumps to the next timer.

No thread, no descriptor that is waited for, no wall clock. What happens at the same time happens in the order
in which it was asked for, so that a run depends on nothing but what it is given.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from oidproxy.trace.virtual.links import Link

BEGIN = 1000.0
"""What the clock shows at first, in seconds: a time of 0 means "never" here and there."""

A = TypeVar("A")


class Stuck(Exception):
    """Nothing is ready, nothing will ever be, and what the loop was to run is not done: a bug."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Use it as any loop; connections are `trace.virtual.network`'s."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        """The loop's time, in seconds; for whoever reads it often."""
        self._due: list[tuple[float, int, Callable[[Any], object], object]] = []
        self._soon: deque[tuple[Callable[[Any], object], object]] = deque()
        self._count = 0
        # A descriptor on which nothing is ever to be read: who asks whether there is gets the truth, since
        # what arrives here is read at once.
        self._quiet = os.eventfd(0)

    # Cheap, for what happens often: no handle, no context, nothing to cancel.

    def at(self, when: float, work: Callable[[A], object], argument: A) -> None:
        """Do this at that time; of one time, in the order in which it was asked for."""
        self._count += 1
        heappush(self._due, (when, self._count, work, argument))

    def next(self, work: Callable[[A], object], argument: A) -> None:
        """Do this behind all that is ready."""
        self._soon.append((work, argument))

    def through(self, link: Link, when: float, work: Callable[[A], object], argument: A) -> None:
        """Do this when something arrives by a link, behind what it carries already."""
        if link.instant:
            self._soon.append((work, argument))
        else:
            self.at(when, work, argument)

    def fileno(self) -> int:
        """A descriptor with nothing to read on it: every connection's `socket` has this one."""
        return self._quiet

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Seconds, which pass only when nothing is left to be done at this time."""
        return self.now

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's."""
        handle = asyncio.Handle(callback, args, self, context)
        self._soon.append((_run, handle))
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's; there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self.at(when, _run, timer)
        return timer

    def run_in_executor(self, *_: object, **__: object) -> NoReturn:
        """There are no threads. Raises RuntimeError."""
        raise RuntimeError("there are no threads in virtual time")

    async def getaddrinfo(self, host: Any, *_: object, **__: object) -> NoReturn:
        """There is no name server: addresses only. Raises socket.gaierror."""
        raise socket.gaierror(socket.EAI_NONAME, f"no names in virtual time: {host}")

    def close(self) -> None:
        """Forget what was to be done."""
        if self.is_closed():
            return
        super().close()
        self._due.clear()
        self._soon.clear()
        os.close(self._quiet)

    # Inside; `BaseEventLoop` calls these.

    def _run_once(self) -> None:
        soon, due = self._soon, self._due
        while not self._stopping:
            if soon:
                work, argument = soon.popleft()
            elif due:
                when, _, work, argument = heappop(due)
                self.now = max(self.now, when)
            else:
                raise Stuck("nothing is left to happen, and something is still waited for")
            work(argument)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays where it is until its time, and does nothing then."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    _stopping: bool


def _run(handle: asyncio.Handle) -> None:
    if not handle._cancelled:
        handle._run()
