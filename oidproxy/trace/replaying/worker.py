"""What a worker of a Dask cluster does: its part of a replay, in a thread of that process."""

from __future__ import annotations

import asyncio
import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import zstandard

from oidproxy.trace.line import Line
from oidproxy.trace.replaying.part import Part
from oidproxy.trace.replaying.replay import loop_factory
from oidproxy.trace.results.outcome import Outcome
from oidproxy.trace.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from distributed import Event

    from oidproxy.trace.replaying.resuming import Learned
    from oidproxy.trace.replaying.settings import Settings
    from oidproxy.trace.schedule import Schedule

LOOKS = 0.3
"""Seconds between two looks whether to stop."""


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker is told."""

    settings: Settings
    schedule: Schedule
    begins: int
    done: Mapping[int, frozenset[int]]
    learned: Mapping[int, Learned]
    name: str
    """Of the signals: `<name>-start`, `<name>-stop`, `<name>-ready-<number>`."""


@dataclass(frozen=True, slots=True)
class Done:
    """What comes back."""

    outcomes: bytes
    saturated: list[str]
    learned: Mapping[int, tuple[dict[str, str], dict[str, str]]]
    """Loop -> ids and names."""
    finished: bool


def work(told: Work, packed: bytes, number: int) -> Done:
    """Do one part. Raises ConfigError: nobody can sign in."""
    from distributed import Event, get_client  # noqa: PLC0415 - only a worker comes here

    client = get_client()
    start, stop, ready = (
        Event(f"{told.name}-{one}", client=client) for one in ("start", "stop", f"ready-{number}")
    )
    part = Part(
        told.settings,
        survey(_lines(packed)),
        told.schedule,
        lambda: _lines(packed),
        begins=told.begins,
        done=told.done,
        learned=told.learned,
    )
    sink = _Sink()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        finished = runner.run(_run(part, sink.add, start, stop, ready))
    learned = {loop: (dict(one.learned), dict(one.names)) for loop, one in part.remappings.items()}
    return Done(sink.close(), part.saturated, learned, finished)


def outcomes(packed: bytes) -> Iterator[Outcome]:
    """What a worker's outcomes were."""
    decoder = msgspec.msgpack.Decoder(list[Outcome])
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as stream:
        reader = io.BufferedReader(stream, 1 << 20)
        while size := reader.read(4):
            yield from decoder.decode(reader.read(int.from_bytes(size, "big")))


async def _run(part: Part, sink: Callable[[Outcome], None], start: Event, stop: Event, ready: Event) -> bool:
    """Dask's signals are waited for in threads, so that they cost the sender nothing."""
    loop = asyncio.get_running_loop()
    begin, over = asyncio.Event(), threading.Event()
    task = asyncio.create_task(part.run(sink, ready.set, begin))

    def watch() -> None:
        begun = False
        while not over.is_set():
            if not begun and start.wait(timeout=LOOKS):
                begun = True
                loop.call_soon_threadsafe(begin.set)
            if stop.is_set():
                loop.call_soon_threadsafe(task.cancel)
                return
            if begun:
                over.wait(LOOKS)

    watching = asyncio.create_task(asyncio.to_thread(watch))
    try:
        await asyncio.wait([task])
    finally:
        over.set()
        await watching
    if task.cancelled():
        return False
    task.result()
    return True


def _lines(packed: bytes) -> Iterator[Line]:
    decode = msgspec.json.Decoder(Line).decode
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as reader:
        for line in io.BufferedReader(reader, 1 << 20):
            yield decode(line)


class _Sink:
    """Gathers outcomes, compressed."""

    BATCH = 4096

    def __init__(self) -> None:
        self._packer = zstandard.ZstdCompressor(level=1).compressobj()
        self._packed = bytearray()
        self._batch: list[Outcome] = []
        self._encode = msgspec.msgpack.Encoder().encode

    def add(self, outcome: Outcome) -> None:
        self._batch.append(outcome)
        if len(self._batch) >= self.BATCH:
            self._write()

    def close(self) -> bytes:
        self._write()
        self._packed += self._packer.flush()
        return bytes(self._packed)

    def _write(self) -> None:
        data = self._encode(self._batch)
        self._batch.clear()
        self._packed += self._packer.compress(len(data).to_bytes(4, "big") + data)
