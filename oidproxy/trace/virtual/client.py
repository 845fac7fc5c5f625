"""A user's connections to a proxy: one request at a time on each, as many as it takes, kept alive."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

from oidproxy.clouds.limits import Limits
from oidproxy.http.body import BodyReader, body_reader
from oidproxy.http.parse import find_head_end, response_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.trace.virtual.loop import VirtualLoop
    from oidproxy.trace.virtual.machine import Machine
    from oidproxy.trace.virtual.network import Network
    from oidproxy.trace.virtual.transport import Transport

KEPT = 70.0
"""Seconds that a connection may have been idle when it is used again; proxies close them after 75."""

BODY_AT_MOST = 1 << 20
"""Bytes of an answer that are kept for who reads it."""

_LIMITS = Limits()
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)
_UNUSUAL = re.compile(rb"\r\n(?:Transfer-Encoding|Connection):|\AHTTP/1.1 1", re.IGNORECASE)


class Sent:
    """One request and what came of it."""

    __slots__ = ("body", "data", "done", "error", "first_byte", "method", "size", "status", "wants_body")

    def __init__(self, method: str, data: bytes, done: Callable[[Sent], None], *, wants_body: bool) -> None:
        self.method = method
        self.data = data
        self.done = done
        self.wants_body = wants_body
        self.status = 0
        self.size = 0
        """Bytes of the answer's body."""
        self.first_byte = 0.0
        """By the loop; likewise when it ended: now, when `done` is called."""
        self.body = b""
        self.error = ""


class Client:
    """All of one user's requests to one address."""

    __slots__ = ("_address", "_idle", "_loop", "_machine", "_network", "_port")

    def __init__(self, network: Network, machine: Machine, address: str, port: int) -> None:
        self._network = network
        self._loop = network.loop
        self._machine = machine
        self._address = address
        self._port = port
        self._idle: list[_Connection] = []

    def send(self, sent: Sent) -> None:
        """Send it, on a connection that is free or a new one; `sent.done` is called when it is over."""
        oldest = self._loop.now - KEPT
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > oldest and connection.open:
                connection.begin(sent)
                return
            connection.close()
        connection = _Connection(self, self._loop)

        def made(_: object) -> None:
            connection.begin(sent)

        def refused() -> None:
            sent.error = "refused"
            sent.done(sent)

        self._network.begin(
            self._machine, self._address, self._port, lambda: connection, made=made, refused=refused
        )

    def free(self, connection: _Connection) -> None:
        """It may be used again."""
        self._idle.append(connection)


class _Connection(asyncio.Protocol):
    __slots__ = ("_buffer", "_client", "_loop", "_pieces", "_reader", "_sent", "_transport", "idle_since")

    def __init__(self, client: Client, loop: VirtualLoop) -> None:
        self._client = client
        self._loop = loop
        self._transport: Transport
        self._sent: Sent | None = None
        self._buffer = b""
        self._reader: BodyReader | None = None
        self._pieces: list[bytes] = []
        self.idle_since = 0.0

    @property
    def open(self) -> bool:
        """Whether it can be used."""
        return not self._transport.is_closing()

    def begin(self, sent: Sent) -> None:
        """Send a request."""
        self._sent = sent
        self._transport.write(sent.data)

    def close(self) -> None:
        """It is not needed."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        sent = self._sent
        if sent is None:
            self._transport.close()
            return
        if self._reader is not None:
            self._feed(sent, self._reader, data)
            return
        if not sent.first_byte:
            sent.first_byte = self._loop.now
        if self._buffer:
            data = self._buffer + data
        end = data.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(data, 0, end)
        if length is not None and len(data) - end == int(length[1]) and not _UNUSUAL.search(data, 0, end):
            sent.status = int(data[9:12])
            sent.size = len(data) - end
            if sent.wants_body:
                sent.body = data[end:]
            self._free(sent)
            return
        self._parse(sent, data)

    def _parse(self, sent: Sent, data: bytes) -> None:
        end = find_head_end(data, 0)
        if end < 0:
            self._buffer = data
            return
        self._buffer = b""
        head = response_head(data[:end], method=sent.method, limits=_LIMITS)
        if head.informational:
            if data[end:]:
                self._parse(sent, data[end:])
            return
        sent.status = head.status
        reader = body_reader(head.framing, _LIMITS)
        self._pieces = []
        if reader.done:
            self._over(sent, keep=head.keep_alive)
            return
        self._reader = reader
        if not head.keep_alive:
            self._client = _NOBODY
        if data[end:]:
            self._feed(sent, reader, data[end:])

    def _feed(self, sent: Sent, reader: BodyReader, data: bytes) -> None:
        fed = reader.feed(data)
        for piece in fed.pieces:
            sent.size += len(piece)
            if sent.wants_body and sent.size <= BODY_AT_MOST:
                self._pieces.append(piece)
        if fed.done:
            self._reader = None
            sent.body = b"".join(self._pieces)
            self._over(sent, keep=self._client is not _NOBODY)

    def eof_received(self) -> bool:
        """Called by the loop: the end of an answer that has no other."""
        sent = self._sent
        if sent is not None and self._reader is not None and self._reader.ends_with_stream():
            self._reader = None
            sent.body = b"".join(self._pieces)
            self._over(sent, keep=False)
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """Called by the loop."""
        sent, self._sent = self._sent, None
        if sent is not None:
            sent.error = "broken"
            sent.done(sent)

    def _over(self, sent: Sent, *, keep: bool) -> None:
        if keep:
            self._free(sent)
            return
        self._sent = None
        self._transport.close()
        sent.done(sent)

    def _free(self, sent: Sent) -> None:
        self._sent = None
        self.idle_since = self._loop.now
        self._client.free(self)
        sent.done(sent)


class _Nobody(Client):
    """Takes no connection back."""

    def __init__(self) -> None:
        pass

    def free(self, connection: _Connection) -> None:
        connection.close()


_NOBODY = _Nobody()
