"""One worker process: a loop, its listening sockets, and what the parent tells it.

Started by the parent as `python -m oidproxy.proxy.worker FD`, FD being its end of a socket pair. It drains
and ends when the parent asks it to, when the parent is gone, and at SIGTERM.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import uvloop

from oidproxy.errors import ConfigError
from oidproxy.identity.service import Identity
from oidproxy.manyclouds.finding.find import Finding
from oidproxy.manyclouds.locations import Locations
from oidproxy.manyclouds.many import Many
from oidproxy.manyclouds.records import Records
from oidproxy.manyclouds.replicating.groups import Groups
from oidproxy.manyclouds.replicating.replication import Replication
from oidproxy.manyclouds.staging import Staging
from oidproxy.manyclouds.uniting import Uniting
from oidproxy.proxy.channel import (
    Counted,
    Distant,
    Drain,
    Failed,
    Learned,
    Measured,
    Message,
    Ready,
    Record,
    Recorded,
    Reload,
    Reloaded,
    Start,
    pack,
    receive,
)
from oidproxy.proxy.listening import Listening
from oidproxy.proxy.recorder import Recorder
from oidproxy.proxy.serving import Serving
from oidproxy.routing.decision import Snapshot
from oidproxy.scope.parse import parse
from oidproxy.store.opening import is_remote, open_index, open_store
from oidproxy.telemetry.access import AccessLog
from oidproxy.telemetry.counters import Counters
from oidproxy.telemetry.logs import Logs
from oidproxy.tokens.closed import Keyring
from oidproxy.upstream.pools import Upstreams

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry
    from oidproxy.trace.recording import Recording

SWEEP_SECONDS = 0.5
"""How exact the client-side timeouts are."""

REPORT_SECONDS = 1.0
REPORT_SHARE = 100
"""One part in so many of its time is what a worker tells counters in; thousands of clouds have many."""

CUT_OFF_SECONDS = 1.0
"""Within these the loop has told every connection of its end."""

LET_GO_AFTER = 5.0
LET_GO_AT_ONCE = 200
"""Clouds, or rows of the index: a few milliseconds' work."""

_log = logging.getLogger("oidproxy.proxy")


class Worker:
    """Serves until it is told to stop."""

    def __init__(self, start: Start, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        snapshot = _snapshot(start.registry, start.serial)
        upstreams = Upstreams(start.registry, workers=start.workers)
        self._store = open_store(start.state, clock=time.time)
        self._locations = Locations(open_index(start.state, at_most=start.registry.limits.index))
        identity = Identity(
            fetch=upstreams.fetch,
            clock=time.time,
            snapshot=snapshot,
            store=self._store,
            pseudonym=start.pseudonym,
        )
        self._reader = reader
        self._writer = writer
        self._access = AccessLog.open(start.access_log)
        self._counters = Counters()
        self._replication = Replication(
            store=self._store,
            upstreams=upstreams,
            identity=identity,
            snapshot=lambda: self._serving.snapshot,
            pseudonym=start.pseudonym,
            clock=time.time,
            learn=self._locations.learn,
        )
        groups = Groups(self._store, time.time)
        finding = Finding(locations=self._locations, clock=time.monotonic, groups=groups)
        self._serving = Serving(
            snapshot,
            upstreams=upstreams,
            identity=identity,
            staging=Staging(
                upstreams=upstreams,
                identity=identity,
                store=self._store,
                clock=time.time,
                pseudonym=start.pseudonym,
            ),
            access=self._access,
            counters=self._counters,
            pseudonym=start.pseudonym,
            replication=self._replication,
            many=Many(
                Records(self._store, time.time, shared=start.workers > 1 or is_remote(start.state)),
                unite=Uniting(store=self._store, locations=self._locations),
                find=finding,
                made=finding.made,
                replicate=self._replication.carry_out,
            ),
        )
        self._listening = Listening(self._serving)
        self._letting_go: list[asyncio.Task[None]] = []
        self._recording = start.recording
        """What to begin with."""

    async def run(self) -> None:
        """Listen, obey, and drain at the end."""
        if self._recording is not None:
            # One that cannot be made is told, and keeps nobody from being served.
            await self._record(self._recording)
        try:
            await self._listening.match(self._serving.snapshot.registry.listeners)
        except ConfigError as error:
            await self._say(Failed(str(error)))
            return
        await self._say(Ready())
        sweeping = asyncio.create_task(self._sweep())
        reporting = asyncio.create_task(self._report())
        journal = asyncio.create_task(self._replication.run())
        orders = asyncio.create_task(self._obey())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, orders.cancel)
        try:
            await asyncio.wait([orders])
            await self._drain()
        finally:
            for task in (sweeping, reporting, journal, *self._letting_go):
                task.cancel()
            self._access.close()
            await self._end_recording()
            # It deletes halves of images where they were to be, so it comes before the connections' end.
            await self._serving.staging.close()
            await self._replication.close()
            await self._serving.upstreams.close()
            await self._locations.close()
            await self._store.close()

    async def _obey(self) -> None:
        while True:
            message = await receive(self._reader)
            match message:
                case Reload(registry=registry, serial=serial):
                    await self._reload(registry, serial)
                case Distant(measured=measured):
                    self._serving.measured(measured)
                case Record(recording=recording):
                    await self._record(recording)
                case Drain() | None:
                    return
                case _:
                    _log.error("the parent sent %s, which is no order", type(message).__name__)

    async def _reload(self, registry: Registry, serial: int) -> None:
        try:
            snapshot = _snapshot(registry, serial)
            await self._listening.match(registry.listeners)
        except ConfigError as error:
            await self._say(Reloaded(serial, str(error)))
            return
        before = self._serving.snapshot.registry
        self._serving.swap(snapshot)
        self._reopen_log()
        await self._say(Reloaded(serial))
        self._letting_go.append(asyncio.create_task(_let_go(before)))
        self._letting_go = [task for task in self._letting_go if not task.done()]

    async def _record(self, recording: Recording | None) -> None:
        await self._end_recording()
        try:
            self._begin_recording(recording)
        except OSError as error:
            await self._say(Recorded("", f"cannot record into {error.filename}: {error.strerror}"))
            return
        await self._say(Recorded(recording.name if recording else ""))

    def _begin_recording(self, recording: Recording | None) -> None:
        if recording is not None:
            serving = self._serving
            clouds = tuple(serving.snapshot.registry.clouds)
            serving.recorder = Recorder(recording, clouds, serving.recorded)

    async def _end_recording(self) -> None:
        recorder, self._serving.recorder = self._serving.recorder, None
        if recorder is not None:
            await asyncio.to_thread(recorder.close)

    def _reopen_log(self) -> None:
        """A log that was moved away (logrotate) is begun anew."""
        try:
            self._access.reopen()
        except OSError as error:
            _log.error("the access log cannot be opened anew, the old file goes on: %s", error.strerror)

    async def _drain(self) -> None:
        """Rule F1: go on accepting for a moment, with `Connection: close`, then finish what is under way."""
        limits = self._serving.snapshot.registry.limits
        self._serving.draining = True
        # Requests that wait for images would wait longer than there is time.
        self._serving.staging.drain()
        await asyncio.sleep(limits.drain_grace)
        self._listening.close()
        self._serving.closing = True
        for connection in tuple(self._serving.connections):
            connection.drain()
        await self._emptied(limits.drain)
        for connection in tuple(self._serving.connections):
            connection.abort()
        # What was cut off is told in the access log.
        await self._emptied(CUT_OFF_SECONDS)

    async def _emptied(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._serving.empty.wait(), seconds)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._serving.sweep()
            self._access.flush()

    async def _report(self) -> None:
        pause = REPORT_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = time.perf_counter()
            await self._say(Counted(self._serving.samples()))
            if found := self._locations.take():
                await self._say(Learned(found))
            if near := self._serving.upstreams.distances.take():
                await self._say(Measured(near))
            pause = max(REPORT_SECONDS, (time.perf_counter() - began) * REPORT_SHARE)

    async def _say(self, message: Message) -> None:
        try:
            self._writer.write(pack(message))
            await self._writer.drain()
        except ConnectionError:
            _log.warning("the parent is gone")


async def _let_go(registry: Registry) -> None:
    """Give back the memory of a registry that is served no longer, in pieces between which requests go on.

    Some requests that began with it may still be under way, so it waits for most of them to end.
    """
    pieces: list[object] = [*registry.clouds.values(), *registry.index.values()]
    del registry
    await asyncio.sleep(LET_GO_AFTER)
    while pieces:
        del pieces[-LET_GO_AT_ONCE:]
        await asyncio.sleep(0)


def _snapshot(registry: Registry, serial: int) -> Snapshot:
    return Snapshot(registry=registry, keyring=Keyring(registry.fleet_keys), serial=serial)


async def _main(descriptor: int) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor))
    message = await receive(reader)
    if isinstance(message, Start):
        await _serve(message, reader, writer)
    writer.close()


async def _serve(start: Start, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        worker = Worker(start, reader, writer)
    except ConfigError as error:
        writer.write(pack(Failed(str(error))))
        return
    except OSError as error:
        writer.write(pack(Failed(f"cannot write the access log {start.access_log}: {error.strerror}")))
        return
    await worker.run()


def main() -> None:
    """Entry point of a worker process."""
    # The parent decides when to stop: a Ctrl-C at the terminal reaches the whole process group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Each client and each call needs a descriptor; systems give processes 1,024 unless they ask for more.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    logs = Logs(sys.stderr, os.environ.get("OIDPROXY_LOG_LEVEL", "WARNING"))
    # The first scope loads the grammar, which takes a quarter of a second: no request is to wait for that.
    parse("*")
    # What was imported lives as long as the process: the collector need not look at it again.
    gc.freeze()
    try:
        uvloop.run(_main(int(sys.argv[1])))
    finally:
        logs.stop()


if __name__ == "__main__":
    main()
