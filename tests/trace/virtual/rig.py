"""Two machines on a virtual network, and traces of a few lines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from oidproxy.cli.virtually.running import run
from oidproxy.cli.virtually.whatif import WhatIf, prepare
from oidproxy.trace.line import Header, Line
from oidproxy.trace.virtual.links import Course
from oidproxy.trace.virtual.loop import BEGIN, VirtualLoop
from oidproxy.trace.virtual.machine import Machine
from oidproxy.trace.virtual.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from oidproxy.trace.results.outcome import Outcome

SECOND = 1_000_000_000
NEAR = Course(0.01)


class World:
    """`here` and `there`, so far apart."""

    def __init__(self, loop: VirtualLoop, course: Course) -> None:
        self.loop = loop
        self.network = Network(loop, lambda src, dst: course)
        self.here = Machine("here", "rennes", "10.0.0.1")
        self.there = Machine("there", "nantes", "10.0.0.2")

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return round(self.loop.time() - BEGIN, 9)


def virtually(work: Callable[[World], Coroutine[Any, Any, Any]], course: Course = NEAR) -> Any:
    """Run a coroutine in a world of its own."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return await work(World(loop, course))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


class Recorded(asyncio.Protocol):
    """Notes what it is told, and when."""

    def __init__(
        self, world: World, answer: Callable[[asyncio.Transport, bytes], None] | None = None
    ) -> None:
        self.world = world
        self.told: list[tuple[float, Any]] = []
        self.transport: Any = None
        self._answer = answer

    def note(self, what: Any) -> None:
        self.told.append((self.world.passed, what))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.note(data)
        if self._answer is not None:
            self._answer(self.transport, data)

    def eof_received(self) -> bool:
        self.note("end")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.note(("lost", type(exc).__name__))

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")


def line(n: int, at: float, path: str, **more: Any) -> Line:
    """A request of a trace; a read of cloud-1's user unless it says otherwise."""
    given: dict[str, Any] = {
        "method": "GET",
        "service": "image",
        "status": 200,
        "home": "cloud-1",
        "user": "alice",
        "bytes_out": 3000,
    }
    return Line(n=n, at=round(at * SECOND), path=path, **given | more)


def written(folder: Path, lines: Sequence[Line], clouds: int = 3) -> Path:
    """A trace's file."""
    header = Header(
        oidproxy_trace=1,
        began="2026-01-05T08:00:00+00:00",
        source="synthesized",
        clouds=[f"cloud-{number}" for number in range(1, clouds + 1)],
    )
    path = folder / "trace.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, (header, *lines))) + b"\n")
    return path


def replayed(trace: Path, mine: frozenset[str] | None = None, **more: Any) -> list[Outcome]:
    """What became of each, by number."""
    found: list[Outcome] = []
    run(prepare(WhatIf(str(trace), **more)), found.append, mine)
    return sorted(found, key=lambda outcome: (outcome.loop, outcome.n))
