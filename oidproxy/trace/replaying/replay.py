"""A whole replay in this process: reads, signs in and sends, until it is over or stopped."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from oidproxy.trace.replaying.part import Part
from oidproxy.trace.replaying.running import Progress
from oidproxy.trace.schedule import Schedule
from oidproxy.trace.survey import Survey, replayed, survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from oidproxy.trace.line import Line
    from oidproxy.trace.reading import Trace
    from oidproxy.trace.remapping import Remapping
    from oidproxy.trace.replaying.resuming import Learned
    from oidproxy.trace.replaying.settings import Settings
    from oidproxy.trace.results.outcome import Outcome

TICK = 0.5
"""Seconds between two looks at the progress."""


class Replay:
    """One replay of a trace."""

    def __init__(
        self,
        settings: Settings,
        trace: Trace,
        *,
        done: Mapping[int, frozenset[int]] | None = None,
        learned: Mapping[int, Learned] | None = None,
    ) -> None:
        """Reads the trace once. Raises TraceInvalid, OSError."""
        self.settings = settings
        self.trace = trace
        self.survey: Survey = survey(trace.lines())
        self.schedule = Schedule(settings.speed, settings.loops, self.survey.begins, self.survey.ends)
        self.done = done or {}
        self.learned = learned or {}
        self.progress = Progress(self.survey.requests * settings.loops)
        self.progress.done = sum(map(len, self.done.values()))
        self.remappings: Mapping[int, Remapping] = {}
        self.saturated: list[str] = []

    def begins(self) -> int:
        """Where in its time a replay goes on: at the first request that is not done."""
        if not self.done:
            return 0
        for loop in range(self.settings.loops):
            done = self.done.get(loop, frozenset())
            for line in self.ours():
                if line.n not in done:
                    return self.schedule.intended(line.at, loop)
        return self.schedule.length

    def ours(self) -> Iterator[Line]:
        """The requests that are replayed, with the ids that were told from the order."""
        return replayed(self.trace.lines(), self.survey.inferred)

    def run(self, sink: Callable[[Outcome], None], watch: Callable[[Progress], None]) -> bool:
        """Send everything; whether it came to its end. SIGINT and SIGTERM stop it in order.

        Raises:
            ConfigError: nobody can sign in, or a target may not be sent to.
        """
        part = Part(
            self.settings,
            self.survey,
            self.schedule,
            self.ours,
            begins=self.begins(),
            done=self.done,
            learned=self.learned,
            progress=self.progress,
        )
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                return runner.run(_watched(part, sink, watch))
        finally:
            self.remappings = part.remappings
            self.saturated = part.saturated


async def _watched(part: Part, sink: Callable[[Outcome], None], watch: Callable[[Progress], None]) -> bool:
    start = asyncio.Event()
    task = asyncio.create_task(part.run(sink, start.set, start))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=TICK)
            watch(part.progress)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    if task.cancelled():
        return False
    task.result()
    return True


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, if it is there."""
    try:
        import uvloop  # noqa: PLC0415 - used if it is there
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
