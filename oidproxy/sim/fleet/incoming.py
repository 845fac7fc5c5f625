"""A request's body on its way in: what llhttp has read of it, for the procedure that asks for it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError
from oidproxy.sim.steps import BodyBrokenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oidproxy.sim.blobs import Blobs
    from oidproxy.sim.messages import Content

HELD = 1 << 20
"""Bytes that wait before reading is paused."""


class Incoming:
    """The body of one request. Nobody may want it: then it is thrown away as it comes."""

    def __init__(self, transport: asyncio.Transport, blobs: Blobs, *, expects: bool) -> None:
        self._transport = transport
        self._blobs = blobs
        self._expects = expects
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._lost = False
        self._wanted = True
        self._more = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """More of it."""
        if not self._wanted:
            return
        self._pieces.append(data)
        self._held += len(data)
        if self._held > HELD:
            self._transport.pause_reading()
        self._more.set()

    def end(self) -> None:
        """That was all."""
        self._ended = True
        self._more.set()

    def lose(self) -> None:
        """The client went away."""
        self._lost = not self._ended
        self._more.set()

    def discard(self) -> None:
        """Nobody wants what is still to come."""
        self._wanted = False
        self._pieces.clear()
        self._held = 0
        if not self._transport.is_closing():
            self._transport.resume_reading()

    async def read(self, limit: int) -> bytes:
        """Whole; 413 when it is longer than `limit`."""
        pieces: list[bytes] = []
        length = 0
        async for piece in self._iterate():
            pieces.append(piece)
            length += len(piece)
            if length > limit:
                raise ApiError(413, "Request is too large.")
        return b"".join(pieces)

    async def store(self, blob: str) -> Content:
        """Streamed to disk."""
        with self._blobs.writer(blob) as writer:
            async for piece in self._iterate():
                writer.write(piece)
            return writer.content()

    async def _iterate(self) -> AsyncIterator[bytes]:
        # Asked for only when it is wanted, as eventlet and uWSGI do (RFC 9110 section 10.1.1).
        if self._expects and not self._ended and not self._pieces:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._held -= len(piece)
                yield piece
            if self._ended:
                return
            if self._lost:
                raise BodyBrokenError
            if not self._transport.is_closing():
                self._transport.resume_reading()
            self._more.clear()
            await self._more.wait()
