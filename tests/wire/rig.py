"""A proxy in this process between raw sockets: a client that writes bytes, an upstream that records them."""

from __future__ import annotations

import asyncio
import random
import ssl
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.clouds.loading.load import load
from oidproxy.identity.service import Identity
from oidproxy.manyclouds.finding.find import Finding
from oidproxy.manyclouds.locations import Locations
from oidproxy.manyclouds.many import Many
from oidproxy.manyclouds.records import Records
from oidproxy.manyclouds.staging import Staging
from oidproxy.manyclouds.uniting import Uniting
from oidproxy.proxy.listening import Listening
from oidproxy.proxy.serving import Serving
from oidproxy.routing.decision import Snapshot
from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite import SqliteStore
from oidproxy.store.sqlite_index import SqliteIndex
from oidproxy.telemetry.access import AccessLog
from oidproxy.telemetry.counters import Counters
from oidproxy.tokens.closed import Keyring
from oidproxy.upstream.pools import Upstreams

if TYPE_CHECKING:
    from pathlib import Path

Handler = Callable[["Peer"], Awaitable[None]]


def loopback() -> str:
    """An address of 127.0.0.0/8 that nobody else is likely to use."""
    return f"127.{random.randint(10, 250)}.{random.randint(1, 250)}.{random.randint(1, 250)}"


async def eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@dataclass
class Peer:
    """One end of a raw connection, with reads that fail rather than hang."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    patience: float = 5.0

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), self.patience)

    async def exactly(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), self.patience)

    async def until(self, mark: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(mark), self.patience)

    async def rest(self) -> bytes:
        """Everything until the other side closes; a reset counts as the end."""
        got = bytearray()
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(self.reader.read(65536), self.patience):
                got += piece
        return bytes(got)

    async def quiet(self, seconds: float = 0.2) -> bool:
        """Whether nothing comes for a while."""
        try:
            data = await asyncio.wait_for(self.reader.read(1), seconds)
        except TimeoutError:
            return True
        return data == b"" and False

    def close(self) -> None:
        self.writer.close()

    async def gone(self) -> None:
        """Close at once, and wait until that is done."""
        self.writer.transport.abort()
        with suppress(ConnectionError, TimeoutError, ssl.SSLError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        self.writer.transport.abort()


@dataclass
class Upstream:
    """Records what it gets, connection by connection, and answers as its handler says."""

    host: str
    port: int
    handler: Handler
    connections: list[Peer] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    buffer: int = 1 << 20
    server: asyncio.Server | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        self.server = await asyncio.start_server(
            self._serve, self.host, self.port, ssl=context, limit=self.buffer
        )

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        for peer in self.connections:
            await peer.gone()
        await asyncio.gather(*self.tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.connections.append(peer)
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            await self.handler(peer)
        writer.close()


def answering(answer: bytes) -> Callable[[Upstream], Handler]:
    """A handler that reads heads of requests without body and answers each with these bytes."""

    def make(upstream: Upstream) -> Handler:
        async def handle(peer: Peer) -> None:
            while True:
                upstream.heads.append(await peer.head())
                await peer.send(answer)

        return handle

    return make


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Rig:
    """The proxy, its gateway address, and the one upstream that is cloud-1's every service."""

    address: str
    port: int
    upstream: Upstream
    serving: Serving
    log: Path
    listening: Listening
    clients: list[Peer] = field(default_factory=list)

    async def client(self, context: ssl.SSLContext | None = None) -> Peer:
        reader, writer = await asyncio.open_connection(
            self.address,
            self.port,
            limit=1 << 24,
            ssl=context,
            server_hostname="localhost" if context else None,
        )
        peer = Peer(reader, writer)
        self.clients.append(peer)
        return peer

    async def ask(self, data: bytes) -> bytes:
        """Send bytes on a connection of its own and return all that comes back until the proxy closes."""
        peer = await self.client()
        await peer.send(data)
        try:
            return await peer.rest()
        finally:
            peer.close()


def configuration(
    address: str,
    port: int,
    upstream: str,
    more: str = "",
    *,
    listener: str = "",
    cloud: str = "",
    scheme: str = "http",
) -> str:
    """A gateway in front of one cloud; `listener` and `cloud` are further lines of theirs."""
    return textwrap.dedent(
        f"""\
            listeners:
              - bind: "{address}:{port}"
                {listener}
            clouds:
              cloud-1:
                auth_url: "{scheme}://{upstream}:5000/v3"
                {cloud}
                endpoints:
                  identity: "{scheme}://{upstream}:5000/v3"
                  image: "{scheme}://{upstream}:9292"
                  compute: "{scheme}://{upstream}:9292/compute/v2.1"
            """
    ) + textwrap.dedent(more)


@asynccontextmanager
async def rig(
    tmp_path: Path,
    handler: Callable[[Upstream], Handler] | None = None,
    more: str = "",
    *,
    listener: str = "",
    cloud: str = "",
    upstream_host: str = "",
    upstream_tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Rig]:
    """A running rig."""
    address, up = loopback(), upstream_host or loopback()
    upstream = Upstream(up, 9292, handler=None)  # type: ignore[arg-type]
    upstream.handler = (handler or answering(OK))(upstream)
    await upstream.start(upstream_tls)
    path = tmp_path / "oidproxy.yaml"
    path.write_text(
        configuration(
            address,
            8888,
            up,
            more,
            listener=listener,
            cloud=cloud,
            scheme="https" if upstream_tls else "http",
        )
    )
    registry = load(path)
    snapshot = Snapshot(registry, Keyring(registry.fleet_keys), 1)
    upstreams = Upstreams(registry)
    log = tmp_path / "access.jsonl"
    access = AccessLog.open(str(log))
    prepare(tmp_path / "state.db")
    store = SqliteStore(tmp_path / "state.db", clock=time.time)
    identity = Identity(
        fetch=upstreams.fetch, clock=time.time, snapshot=snapshot, store=store, pseudonym="oidproxy-test"
    )
    locations = Locations(SqliteIndex(tmp_path / "state.db", at_most=1000))
    finding = Finding(locations=locations, clock=time.monotonic)
    serving = Serving(
        snapshot,
        upstreams=upstreams,
        identity=identity,
        staging=Staging(
            upstreams=upstreams,
            identity=identity,
            store=store,
            clock=time.time,
            pseudonym="oidproxy-test",
        ),
        access=access,
        counters=Counters(),
        pseudonym="oidproxy-test",
        many=Many(
            Records(store, time.time),
            unite=Uniting(store=store, locations=locations),
            find=finding,
            made=finding.made,
        ),
    )
    listening = Listening(serving)
    await listening.match(registry.listeners)
    sweeper = asyncio.create_task(_sweep(serving))
    proxy = Rig(address, 8888, upstream, serving, log, listening)
    try:
        yield proxy
    finally:
        for peer in proxy.clients:
            await peer.gone()
        sweeper.cancel()
        listening.close()
        for connection in tuple(serving.connections):
            connection.abort()
        await serving.staging.close()
        await upstreams.close()
        await locations.close()
        await store.close()
        await upstream.stop()
        access.close()


async def _sweep(serving: Serving) -> None:
    while True:
        await asyncio.sleep(0.05)
        serving.sweep()
