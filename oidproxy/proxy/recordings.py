"""The parent's side of recording: begins and ends recordings, in all workers at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from oidproxy.errors import TraceInvalid
from oidproxy.proxy.channel import Record, Recorded, pack
from oidproxy.trace import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oidproxy.clouds.registry import Record as Settings
    from oidproxy.telemetry.counters import Samples
    from oidproxy.trace.recording import Recording

ACKNOWLEDGE_SECONDS = 30.0

State = dict[str, str | int | bool | dict[str, int] | None]


class Hand(Protocol):
    """One worker."""

    number: int
    gone: bool
    writer: asyncio.StreamWriter
    recorded: asyncio.Queue[Recorded]
    """What it said."""


class Recordings:
    """One at a time, into the configured folder only."""

    def __init__(
        self,
        settings: Callable[[], Settings | None],
        hands: Callable[[], Iterable[Hand]],
        counted: Callable[[], Samples],
        workers: int,
    ) -> None:
        self._settings = settings
        self._hands = hands
        self._counted = counted
        self._workers = workers
        self._current: Recording | None = None
        self._changing = asyncio.Lock()

    def open(self) -> None:
        """Begin one before there are workers, if the configuration says so. Raises TraceInvalid, OSError."""
        settings = self._settings()
        if settings is not None and settings.on:
            self._current = self._made(settings)

    def of(self, number: int) -> Recording | None:
        """What a worker that begins now has to record."""
        return self._current.for_worker(number) if self._current is not None else None

    async def begin(self) -> str:
        """Have every worker record. Returns words about it.

        Raises:
            TraceInvalid: no folder is configured, it is full or cannot be written, or a recording goes on.
        """
        async with self._changing:
            settings = self._settings()
            if settings is None:
                raise TraceInvalid(
                    "no folder is configured for recordings: set record.folder, or serve --record DIR"
                )
            if self._current is not None:
                raise TraceInvalid(f"{self._current.name} is being recorded already")
            try:
                self._current = self._made(settings)
            except OSError as error:
                raise TraceInvalid(f"cannot record into {error.filename}: {error.strerror}") from None
            began = self._current
            error_text = await self._tell_all()
            if error_text:
                self._current = None
                await self._tell_all()
                raise TraceInvalid(error_text)
            return f"recording into {began.folder}"

    async def end(self) -> str:
        """Have every worker complete its files. Returns words about it; raises TraceInvalid as `begin`."""
        async with self._changing:
            ended, self._current = self._current, None
            if ended is None:
                raise TraceInvalid("nothing is being recorded")
            error = await self._tell_all()
            if error:
                raise TraceInvalid(error)
            return f"recorded into {ended.folder}"

    def state(self) -> State:
        """What goes on, for who may read it."""
        settings, current, counted = self._settings(), self._current, self._counted()
        dropped = counted.get("oidproxy_record_dropped_total", {})
        return {
            "folder": settings.folder if settings else None,
            "recording": current.name if current else None,
            "bodies": bool(settings and settings.bodies),
            "recorded": int(sum(counted.get("oidproxy_recorded_total", {}).values())),
            "dropped": {dict(labels).get("why", ""): int(count) for labels, count in dropped.items()},
        }

    # Inside.

    def _made(self, settings: Settings) -> Recording:
        return recording.begin(
            Path(settings.folder),
            size=settings.size,
            part=settings.file,
            bodies=settings.bodies,
            workers=self._workers,
        )

    async def _tell_all(self) -> str:
        """Have the workers that there are do as is right now; what one said that could not, or nothing."""
        hands = [hand for hand in self._hands() if not hand.gone]
        for hand in hands:
            while not hand.recorded.empty():
                hand.recorded.get_nowait()
            hand.writer.write(pack(Record(self.of(hand.number))))
        answers = await asyncio.gather(*(self._acknowledgement(hand) for hand in hands))
        return next((answer.error for answer in answers if answer.error), "")

    async def _acknowledgement(self, hand: Hand) -> Recorded:
        expected = self._current.name if self._current is not None else ""
        try:
            async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                while True:
                    answer = await hand.recorded.get()
                    if answer.error or answer.name == expected or hand.gone:
                        return answer
        except TimeoutError:
            return Recorded("", f"worker {hand.number} did not say in time that it records")
