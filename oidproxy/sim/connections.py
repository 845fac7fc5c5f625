"""The HTTP clients of a cloud's processes: one bounded pool for each of them, as the real ones have."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from oidproxy.sim.blobs import PIECE, Blobs, Hasher, generated
from oidproxy.sim.messages import Answer, Content
from oidproxy.sim.recording import Recorder, pairs, shown
from oidproxy.sim.steps import Call, CallFailedError, Fetch, Fetched, Upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

POOL = 100
"""Connections of one process."""
NO_CONTENT = Hasher().content()
AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Connections:
    """Carries out the calls of a cloud's procedures."""

    def __init__(self, blobs: Blobs, recorder: Recorder | None, *, pool: int = POOL) -> None:
        self._pool = pool
        self._blobs = blobs
        self._recorder = recorder
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def call(self, call: Call) -> Answer:
        """Make a call and read its answer whole."""
        async with self._sent(call, call.body or None) as response:
            return Answer(response.status, _fields(response), await response.read())

    async def fetch(self, fetch: Fetch) -> Fetched:
        """Make a call and stream its answer, which is read whole only when it is an error."""
        async with self._sent(fetch.call, fetch.call.body or None) as response:
            fields = _fields(response)
            if response.status != 200:
                return Fetched(Answer(response.status, fields, await response.read()), NO_CONTENT)
            return Fetched(Answer(200, fields, b""), await self._receive(response, fetch.blob))

    async def _receive(self, response: aiohttp.ClientResponse, blob: str) -> Content:
        if not blob:
            hasher = Hasher()
            async for piece in response.content.iter_any():
                hasher.feed(piece)
            return hasher.content()
        with self._blobs.writer(blob) as writer:
            async for piece in response.content.iter_any():
                writer.write(piece)
            return writer.content()

    async def upload(self, upload: Upload) -> Answer:
        """Make a call whose body is streamed, chunked as glanceclient sends it."""
        pieces = self._blobs.pieces(upload.blob) if upload.blob else generated(upload.pattern, upload.size)
        async with self._sent(upload.call, _stream(pieces)) as response:
            return Answer(response.status, _fields(response), await response.read())

    @asynccontextmanager
    async def _sent(
        self, call: Call, data: bytes | AsyncIterator[bytes] | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        started = time.time()
        try:
            async with self._session(call.process).request(
                call.method,
                URL(call.url, encoded=True),
                headers=call.fields,
                data=data,
                allow_redirects=False,
            ) as response:
                yield response
                await self._record(call, response, started)
        except aiohttp.ClientConnectorError as error:
            raise CallFailedError(f"{call.method} {call.url}: no connection", connected=False) from error
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise CallFailedError(f"{call.method} {call.url}: connection broken", connected=True) from error

    def _session(self, process: str) -> aiohttp.ClientSession:
        session = self._sessions.get(process)
        if session is None:
            session = self._sessions[process] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._pool, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120),
                skip_auto_headers=AUTOMATIC,
                read_bufsize=PIECE,
                max_field_size=16_384,
            )
        return session

    async def _record(self, call: Call, response: aiohttp.ClientResponse, started: float) -> None:
        if self._recorder is None:
            return
        streamed = response.status == 200 and response.content_type == "application/octet-stream"
        self._recorder.write(
            {
                "at": started,
                "direction": "out",
                "process": call.process,
                "method": call.method,
                "url": call.url,
                "headers": pairs(call.fields),
                "body": shown(call.body),
                "status": response.status,
                "answer_headers": pairs(response.headers.items()),
                "answer_body": None if streamed else shown(await response.read()),
                "seconds": round(time.time() - started, 6),
            }
        )

    async def close(self) -> None:
        """Close every pool."""
        for session in self._sessions.values():
            await session.close()
        await asyncio.sleep(0)


def _fields(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


async def _stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
