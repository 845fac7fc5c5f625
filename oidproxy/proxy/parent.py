"""The parent process: loads the configuration, keeps the workers running, tells them of reloads and the end.

It serves no user's request itself; the admin listener is its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from oidproxy.clouds.loading.load import load
from oidproxy.clouds.registry import Record
from oidproxy.errors import ConfigError
from oidproxy.proxy.channel import (
    Counted,
    Distant,
    Drain,
    Failed,
    Learned,
    Measured,
    Message,
    Ready,
    Recorded,
    Reload,
    Reloaded,
    Start,
    pack,
    receive,
)
from oidproxy.proxy.distances import TOLD_EVERY, Distances
from oidproxy.proxy.learning import Learner
from oidproxy.proxy.listening import spots
from oidproxy.proxy.recordings import Recordings
from oidproxy.store.opening import open_index
from oidproxy.telemetry.counters import Labels, Samples, merged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oidproxy.clouds.registry import Registry

WATCH_SECONDS = 1.0
"""How often the configuration file is looked at for a change."""

BACK_OFF_FIRST = 0.5
BACK_OFF_LAST = 30.0
STEADY_SECONDS = 60.0
"""A worker that lived this long starts again without back-off."""

ACKNOWLEDGE_SECONDS = 30.0

NICE = 10
"""What loading aside is nice by."""

MANY_PORTS = 4
MANY_LISTENERS = 8

_log = logging.getLogger("oidproxy.proxy")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says of serving."""

    config: Path
    workers: int = 1
    access_log: str = "-"
    record: Path | None = None
    """Record from the start, into this folder."""


@dataclass(slots=True)
class _Hand:
    """One worker as the parent sees it."""

    number: int
    process: asyncio.subprocess.Process
    writer: asyncio.StreamWriter
    serial: int
    """Of the configuration that it was told last."""
    ready: bool = False
    gone: bool = False
    """It says nothing any more, and is told nothing."""
    acknowledged: asyncio.Queue[Reloaded] = field(default_factory=asyncio.Queue)
    recorded: asyncio.Queue[Recorded] = field(default_factory=asyncio.Queue)
    counters: Samples = field(default_factory=dict)


class Parent:
    """Runs until SIGTERM or SIGINT."""

    def __init__(
        self, options: Options, registry: Registry, state: Path | str, announce: Callable[[str], None]
    ) -> None:
        """`state` is the file of the state that the workers share, prepared (`store.preparing`), or a URL."""
        self._options = options
        self._state = str(state)
        self._learner = Learner(open_index(self._state, at_most=registry.limits.index))
        self._distances = Distances(time.monotonic())
        self._registry = registry
        self._announce = announce
        self._serial = 1
        """Given last."""
        self._served = 1
        """The serial of what is served."""
        self._pseudonym = f"oidproxy-{os.urandom(6).hex()}"
        self._hands: dict[int, _Hand] = {}
        self._past: Samples = {}
        self._seen = _mark(options.config)
        """The file as it was read last."""
        self._failure = ""
        self._started = False
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self.recordings = Recordings(self._record_settings, self._hands.values, self.counted, options.workers)

    @property
    def registry(self) -> Registry:
        """What is served now."""
        return self._registry

    def ready(self) -> bool:
        """Whether every worker serves, and none is about to stop."""
        return (
            not self._stopping.is_set()
            and len(self._hands) == self._options.workers
            and all(hand.ready for hand in self._hands.values())
        )

    def counted(self) -> Samples:
        """The counters of all workers, of those that ended too."""
        far: dict[Labels, float] = {
            (("cloud", cloud),): time / 1e6 for cloud, time in self._distances.told.items()
        }
        here: Samples = {"oidproxy_cloud_round_trip_seconds": far} if far else {}
        return merged([self._past, here, *(hand.counters for hand in self._hands.values())])

    async def run(self) -> int:
        """Start the workers, serve until told to stop, drain. Returns the exit status."""
        self._listen_to_signals()
        keepers = [asyncio.create_task(self._keep(number)) for number in range(self._options.workers)]
        watcher = asyncio.create_task(self._watch())
        learning = asyncio.create_task(self._learner.run())
        measuring = asyncio.create_task(self._measure())
        try:
            status = await self._start()
            if status == 0:
                await self._stopping.wait()
        finally:
            self._stopping.set()
            watcher.cancel()
            measuring.cancel()
            await self._end(keepers)
            learning.cancel()
            await asyncio.gather(learning, return_exceptions=True)
            await self._learner.close()
        return status

    async def reload(self) -> str:
        """Load the configuration again and have every worker serve it; a bad one changes nothing.

        Raises:
            ConfigError: why it was not taken.
        """
        async with self._reloading:
            self._seen = _mark(self._options.config)
            loaded = await asyncio.to_thread(_loaded_aside, self._options.config, self._registry)
            registry = self._with_distances(loaded)
            error = await self._serve_all(registry)
            if error:
                # Some may have taken it.
                await self._serve_all(self._registry)
            else:
                self._take(registry)
            self._served = self._serial
            self._tell_latecomers()
            if error:
                raise ConfigError(error)
        return f"reloaded {self._options.config}: {len(registry.clouds)} clouds"

    async def drain(self) -> None:
        """Stop as on SIGTERM."""
        self._stopping.set()

    # Inside.

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self._reload_and_say()))

    async def _start(self) -> int:
        """Wait until all workers serve, or one cannot."""
        while not self._stopping.is_set():
            if self._failure:
                self._announce(f"oidproxy: {self._failure}")
                return 2
            if self.ready():
                self._announce(f"oidproxy: ready, listening on {_places(self._registry)}")
                self._started = True
                return 0
            await asyncio.sleep(0.01)
        return 0

    async def _keep(self, number: int) -> None:
        """Keep one worker running; one that dies is started again, later each time (rule F3)."""
        pause = BACK_OFF_FIRST
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            try:
                await self._one_life(number)
            except OSError as error:
                _log.error("worker %d cannot be started: %s", number, error.strerror)
            if self._stopping.is_set() or (self._failure and not self._started):
                return
            if loop.time() - began > STEADY_SECONDS:
                pause = BACK_OFF_FIRST
            _log.error("worker %d ended by itself; it is started again in %g s", number, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, BACK_OFF_LAST)

    async def _one_life(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "oidproxy.proxy.worker",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        hand = _Hand(number, process, writer, self._served)
        self._hands[number] = hand
        options = self._options
        start = Start(
            self._registry,
            self._served,
            self._pseudonym,
            options.access_log,
            options.workers,
            self._state,
            self.recordings.of(number),
        )
        writer.write(pack(start))
        if self._stopping.is_set():
            writer.write(pack(Drain()))
        try:
            await self._hear(hand, reader)
            hand.gone, hand.ready = True, False
            # Whoever takes its place is started with what is served then.
            hand.acknowledged.put_nowait(Reloaded(hand.serial))
            hand.recorded.put_nowait(Recorded(""))
            await process.wait()
        finally:
            self._hands.pop(number, None)
            self._past = merged([self._past, _lasting(hand.counters)])
            writer.close()

    async def _hear(self, hand: _Hand, reader: asyncio.StreamReader) -> None:
        while (message := await receive(reader)) is not None:
            self._heard(hand, message)

    def _heard(self, hand: _Hand, message: Message) -> None:
        match message:
            case Ready():
                hand.ready = True
            case Failed(error=error):
                self._failure = error
            case Reloaded():
                hand.acknowledged.put_nowait(message)
            case Recorded(error=error):
                if error:
                    _log.error("worker %d: %s", hand.number, error)
                hand.recorded.put_nowait(message)
            case Counted(counters=counters):
                hand.counters = counters
            case Learned(found=found):
                self._learner.hear(found)
            case Measured(found=times):
                self._distances.hear(times, time.monotonic())
            case _:
                _log.error("worker %d sent %s, which is no report", hand.number, type(message).__name__)

    async def _serve_all(self, registry: Registry) -> str:
        """Have the workers that there are serve this; an empty text when all do, else what one said."""
        self._serial += 1
        order = await asyncio.to_thread(pack, Reload(registry, self._serial))
        hands = [hand for hand in self._hands.values() if not hand.gone]
        for hand in hands:
            hand.serial = self._serial
            hand.writer.write(order)
        answers = await asyncio.gather(*(self._acknowledgement(hand) for hand in hands))
        return next((answer.error for answer in answers if answer.error), "")

    def _tell_latecomers(self) -> None:
        """A worker that began during a reload was started with what was served before."""
        for hand in self._hands.values():
            if hand.serial != self._served:
                hand.serial = self._served
                hand.writer.write(pack(Reload(self._registry, self._served)))

    async def _acknowledgement(self, hand: _Hand) -> Reloaded:
        serial = hand.serial
        try:
            async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                # One that came too late for its own reload is no answer to this one.
                while (answer := await hand.acknowledged.get()).serial != serial:
                    pass
                return answer
        except TimeoutError:
            return Reloaded(serial, f"worker {hand.number} did not take the new configuration in time")

    def _record_settings(self) -> Record | None:
        """What the configuration says, and the command line over it."""
        found, folder = self._registry.record, self._options.record
        if folder is None:
            return found
        return replace(found or Record(""), folder=str(folder.absolute()), on=True)

    def _take(self, registry: Registry) -> None:
        if registry.admin != self._registry.admin:
            self._announce("oidproxy: the admin listener stays as it was until a restart")
        if registry.store != self._registry.store:
            self._announce("oidproxy: the store stays where it was until a restart")
        self._registry = registry

    async def _measure(self) -> None:
        """Tell the workers how far the clouds are, now and then."""
        while True:
            await asyncio.sleep(TOLD_EVERY)
            async with self._reloading:
                if self._distances.changed(self._registry.clouds.keys()) and not self._registry.rtt.complete:
                    self._registry = self._with_distances(self._registry)
                    order = pack(Distant(self._distances.told))
                    for hand in self._hands.values():
                        hand.writer.write(order)

    def _with_distances(self, registry: Registry) -> Registry:
        return replace(registry, rtt=registry.rtt.with_measured(self._distances.told))

    async def _watch(self) -> None:
        """Reload when the file changes (rule F2)."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = _mark(self._options.config)
            if now is not None and now != self._seen and not self._reloading.locked():
                await self._reload_and_say()

    async def _reload_and_say(self) -> None:
        try:
            self._announce(f"oidproxy: {await self.reload()}")
        except ConfigError as error:
            self._announce(f"oidproxy: not reloaded, the old configuration goes on: {error}")

    async def _end(self, keepers: list[asyncio.Task[None]]) -> None:
        """Have all workers drain, and wait for them; one that hangs is ended."""
        limits = self._registry.limits
        order = pack(Drain())
        for hand in self._hands.values():
            hand.writer.write(order)
        _, late = await asyncio.wait(keepers, timeout=limits.drain + limits.drain_grace + 5.0)
        for hand in list(self._hands.values()):
            with suppress(ProcessLookupError):
                hand.process.kill()
        for task in late:
            task.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


def _loaded_aside(config: Path, previous: Registry) -> Registry:
    """Load a configuration while workers serve, who may need the processor: this thread is nice to them.

    Niceness is a thread's own on Linux (setpriority(2), Notes), and the threads that it is left to do nothing
    else in this process that is urgent.

    Raises:
        ConfigError: it is not valid.
    """
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    return load(config, previous=previous)


def _places(registry: Registry) -> str:
    """Where the proxy listens, for people: neither a cloud's many ports nor many listeners one by one."""
    told = [
        ", ".join(str(spot) for spot in spots(listener))
        if len(listener.ports) < MANY_PORTS
        else f"{listener.host} ({len(listener.ports)} ports, beside {listener.cloud})"
        for listener in registry.listeners[:MANY_LISTENERS]
    ]
    more = len(registry.listeners) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _lasting(samples: Samples) -> Samples:
    """The counters of a worker that ended; its gauges told of what is no more."""
    return {name: values for name, values in samples.items() if name.endswith("_total")}


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
