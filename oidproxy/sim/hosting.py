"""Serves one simulated service with aiohttp: requests to values, values to answers, bodies streamed both
ways."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from aiohttp import ClientError, web

from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Content, Request, Response
from oidproxy.sim.recording import Recorder, pairs, shown
from oidproxy.sim.steps import BodyBrokenError

if TYPE_CHECKING:
    from oidproxy.sim.blobs import Blobs
    from oidproxy.sim.driver import Driver
    from oidproxy.sim.service import Service

KEEP_ALIVE = 75.0
LONGEST_FIELD = 16_384
"""eventlet's limit of a header line."""


class Body:
    """A request's body, as the steps of the procedure that answers it see it."""

    def __init__(self, request: web.BaseRequest, blobs: Blobs) -> None:
        self._request = request
        self._blobs = blobs
        self.text = b""
        """What was read whole: for the record."""
        self.received = 0

    async def read(self, limit: int) -> bytes:
        """Whole; 413 when it is longer than `limit`."""
        pieces: list[bytes] = []
        async for piece in self._pieces():
            if self.received > limit:
                raise ApiError(413, "Request is too large.")
            pieces.append(piece)
        self.text = b"".join(pieces)
        return self.text

    async def store(self, blob: str) -> Content:
        """Streamed to disk."""
        with self._blobs.writer(blob) as writer:
            async for piece in self._pieces():
                writer.write(piece)
            return writer.content()

    async def _pieces(self) -> AsyncIterator[bytes]:
        await self._continue()
        try:
            async for piece in self._request.content.iter_any():
                self.received += len(piece)
                yield piece
        except (ClientError, ConnectionError, TimeoutError) as error:
            raise BodyBrokenError from error

    async def _continue(self) -> None:
        """Ask for the body only when it is wanted, as eventlet and uWSGI do (RFC 9110 section 10.1.1)."""
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            transport = self._request.transport
            if transport is not None:
                transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


class Application:
    """The aiohttp side of one service."""

    def __init__(self, service: Service, driver: Driver, blobs: Blobs, recorder: Recorder | None) -> None:
        self._service = service
        self._driver = driver
        self._blobs = blobs
        self._recorder = recorder

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        started = time.time()
        body = Body(request, self._blobs)
        response = await self._driver.run(self._service.respond(_value(request)), body)
        self._record(request, body, response, started)
        if response.blob and request.method != "HEAD":
            return await self._stream(request, response)
        payload = b"" if request.method == "HEAD" else response.body
        return web.Response(status=response.status, headers=response.fields, body=payload)

    async def _stream(self, request: web.BaseRequest, response: Response) -> web.StreamResponse:
        answer = web.StreamResponse(status=response.status, headers=response.fields)
        answer.content_length = response.size
        # A client that goes away before the end is none of a service's troubles.
        with suppress(ConnectionError), closing(self._blobs.pieces(response.blob)) as pieces:
            await answer.prepare(request)
            for piece in pieces:
                await answer.write(piece)
            await answer.write_eof()
        return answer

    def _record(self, request: web.BaseRequest, body: Body, response: Response, started: float) -> None:
        if self._recorder is None:
            return
        self._recorder.write(
            {
                "at": started,
                "direction": "in",
                "service": self._service.name,
                "method": request.method,
                "target": request.raw_path,
                "headers": pairs((_text(name), _text(value)) for name, value in request.raw_headers),
                "body": shown(body.text),
                "received": body.received,
                "status": response.status,
                "answer_headers": pairs(response.fields),
                "answer_body": shown(response.body),
                "sent": response.size or len(response.body),
                "seconds": round(time.time() - started, 6),
            }
        )


def _value(request: web.BaseRequest) -> Request:
    url = request.rel_url
    return Request(
        method=request.method,
        path=url.raw_path,
        query=tuple(url.query.items()),
        fields={name.lower(): value for name, value in request.headers.items()},
    )


def _text(data: bytes) -> str:
    return data.decode("latin-1")


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


async def listen(handler: Handler, host: str, port: int) -> web.ServerRunner:
    """Serve on an address; the runner stops it."""
    server = web.Server(
        handler,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE,
        max_line_size=LONGEST_FIELD,
        max_field_size=LONGEST_FIELD,
    )
    runner = web.ServerRunner(server, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    return runner
