"""One client's connection to a service of a fleet: llhttp to requests, answers to bytes, faults where wanted.

Lean, since a thousand clouds answer at once: what needs no step of the world is answered without a task.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

import httptools

from oidproxy.sim.faults import ApiError, title
from oidproxy.sim.fleet.incoming import Incoming
from oidproxy.sim.messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.sim.driver import Driver
    from oidproxy.sim.fleet.disturbances import Trouble
    from oidproxy.sim.service import Service
    from oidproxy.sim.steps import Procedure, Step

LONGEST_HEAD = 65_536
WAITING = 64
"""Requests of one connection that wait for the answers before them."""


@dataclass(frozen=True, slots=True)
class Host:
    """One service of one cloud, as its connections need it."""

    service: Service
    driver: Driver
    latency: Callable[[], float]
    trouble: Callable[[], Trouble | None]
    connections: set[Connection]
    """Those that are open."""


class Connection(asyncio.Protocol):
    """Answers a connection's requests, one after the other."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._url = b""
        self._fields: dict[str, str] = {}
        self._head = 0
        self._in_head = False
        self._reading: Incoming | None = None
        self._queue: deque[tuple[Request, Incoming, bool]] = deque()
        self._busy = False
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports are not asyncio's by inheritance.
        self._transport = cast("asyncio.Transport", transport)
        self._host.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Called by the loop. What is under way goes on; its answer goes nowhere."""
        self._host.connections.discard(self)
        self._writable.set()
        for _, incoming, _ in self._queue:
            incoming.lose()
        if self._reading is not None:
            self._reading.lose()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            self._refuse()
            return
        self._head += len(data) if self._in_head else 0
        if self._head > LONGEST_HEAD:
            self._refuse()
            return
        self._next()

    def _refuse(self) -> None:
        self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self._transport.close()

    def pause_writing(self) -> None:
        """Called by the loop."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called by the loop."""
        self._writable.set()

    # The parser's side.

    def on_message_begin(self) -> None:
        """Called by llhttp."""
        self._url, self._fields, self._head, self._in_head = b"", {}, 0, True

    def on_url(self, url: bytes) -> None:
        """Called by llhttp."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp."""
        self._fields[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Called by llhttp."""
        self._in_head = False
        path, _, query = self._url.decode("latin-1").partition("?")
        pairs = tuple(parse_qsl(query, keep_blank_values=True)) if query else ()
        request = Request(self._parser.get_method().decode(), path, pairs, self._fields)
        expects = request.field("expect").lower() == "100-continue"
        self._reading = Incoming(self._transport, self._host.driver.blobs, expects=expects)
        self._queue.append((request, self._reading, self._parser.should_keep_alive()))
        if len(self._queue) > WAITING:
            raise ValueError("too many requests at once")

    def on_body(self, data: bytes) -> None:
        """Called by llhttp."""
        if self._reading is not None:
            self._reading.feed(data)

    def on_message_complete(self) -> None:
        """Called by llhttp."""
        if self._reading is not None:
            self._reading.end()
            self._reading = None

    # Ours.

    def _next(self) -> None:
        while self._queue and not self._busy and not self._transport.is_closing():
            self._busy = True
            self._begin(*self._queue.popleft())

    def _begin(self, request: Request, incoming: Incoming, keep: bool) -> None:
        trouble = self._host.trouble()
        if trouble is not None and trouble.fault == "silent":
            return
        procedure = self._host.service.respond(request)
        turn = _Turn(request, incoming, keep and trouble is None, trouble)
        try:
            step = procedure.send(None)
        except StopIteration as end:
            self._deliver(turn, end.value)
        else:
            self._task = self._loop.create_task(self._run(turn, procedure, step))

    async def _run(self, turn: _Turn, procedure: Procedure[Response], step: Step) -> None:
        response = await self._host.driver.resume(procedure, step, turn.incoming)
        self._deliver(turn, response)

    def _deliver(self, turn: _Turn, response: Response) -> None:
        trouble, delay = turn.trouble, self._host.latency()
        if trouble is not None and trouble.fault == "slow-head":
            delay += trouble.delay
        if delay:
            self._loop.call_later(delay, self._write, turn, response)
        else:
            self._write(turn, response)

    def _write(self, turn: _Turn, response: Response) -> None:
        if self._transport.is_closing():
            return
        if turn.trouble is not None and turn.trouble.fault != "slow-head":
            self._spoil(turn, turn.trouble, response)
            return
        if response.blob and turn.request.method != "HEAD":
            self._task = self._loop.create_task(self._stream(turn, response))
            return
        self._transport.write(_bytes(turn, response))
        self._end(turn)

    async def _stream(self, turn: _Turn, response: Response) -> None:
        self._transport.write(_head(response, response.size, keep=turn.keep))
        with closing(self._host.driver.blobs.pieces(response.blob)) as pieces:
            for piece in pieces:
                await self._writable.wait()
                if self._transport.is_closing():
                    return
                self._transport.write(piece)
        self._end(turn)

    def _end(self, turn: _Turn) -> None:
        turn.incoming.discard()
        if not turn.keep:
            self._transport.close()
            return
        self._busy = False
        self._next()

    def _spoil(self, turn: _Turn, trouble: Trouble, response: Response) -> None:
        """An answer that is none, or not all of one."""
        match trouble.fault:
            case "status":
                self._transport.write(_bytes(turn, _refusal(trouble)))
                self._transport.close()
            case "nonsense":
                self._transport.write(random.randbytes(200))  # noqa: S311 - no secret
                self._transport.close()
            case "garbage":
                noise = random.randbytes(max(len(response.body), 200))  # noqa: S311 - no secret
                self._transport.write(_bytes(turn, Response(200, response.fields, noise)))
                self._transport.close()
            case _:
                self._break(turn, trouble, response)

    def _break(self, turn: _Turn, trouble: Trouble, response: Response) -> None:
        """Head and a part of the body; then the connection breaks, or nothing comes any more."""
        body = response.body or b" " * response.size
        self._transport.write(_head(response, len(body), keep=turn.keep))
        self._transport.write(body[: int(len(body) * trouble.at)])
        if trouble.fault == "break":
            # An end and no reset, which would take what is under way with it.
            self._transport.close()

    def abort(self) -> None:
        """Break the connection: its cloud is dead."""
        self._transport.abort()


@dataclass(frozen=True, slots=True)
class _Turn:
    request: Request
    incoming: Incoming
    keep: bool
    trouble: Trouble | None


def _bytes(turn: _Turn, response: Response) -> bytes:
    head = _head(response, response.size or len(response.body), keep=turn.keep)
    return head if turn.request.method == "HEAD" else head + response.body


def _head(response: Response, length: int, *, keep: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {title(response.status)}"]
    lines += [f"{name}: {value}" for name, value in response.fields]
    # RFC 9110 section 8.6: a 204 has no Content-Length.
    if response.status != 204:
        lines.append(f"Content-Length: {length}")
    lines.append(f"Date: {_date(int(time.time()))}")
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


@lru_cache(maxsize=2)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)


def _refusal(trouble: Trouble) -> Response:
    fields: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    if trouble.retry_after:
        fields += (("Retry-After", str(trouble.retry_after)),)
    error = ApiError(trouble.status)
    body = (
        f'{{"error": {{"code": {error.status}, "message": "{error.message}", "title": "{error.message}"}}}}'
    )
    return Response(trouble.status, fields, body.encode())
