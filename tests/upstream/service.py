"""A service of a cloud that answers as its script says, byte for byte, and records what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

PATIENCE = 5.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Peer:
    """One connection that the service took. Reads fail rather than hang."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)

    async def exactly(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), PATIENCE)

    async def until(self, mark: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(mark), PATIENCE)

    async def rest(self) -> bytes:
        """Everything until the other side closes; a reset counts as the end."""
        got = bytearray()
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                got += piece
        return bytes(got)

    async def send(self, data: bytes) -> None:
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[["Service", Peer], Awaitable[None]]


@dataclass
class Service:
    """Serves every connection by the script."""

    script: Script
    host: str = "127.0.0.1"
    port: int = 0
    peers: list[Peer] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def begin(self, context: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, ssl=context, limit=1 << 20
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for peer in self.peers:
            peer.reset()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        with suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            await self.script(self, peer)
        writer.close()


def answering(*answers: bytes) -> Script:
    """Reads heads of requests without bodies, and answers them in turn; the last answer serves for ever."""

    async def script(service: Service, peer: Peer) -> None:
        turn = 0
        while True:
            service.heads.append(await peer.head())
            await peer.send(answers[min(turn, len(answers) - 1)])
            turn += 1

    return script


@asynccontextmanager
async def serving(
    script: Script, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Service]:
    service = Service(script, host)
    await service.begin(context)
    try:
        yield service
    finally:
        await service.stop()
