"""One connection to a service of a simulated cloud: HTTP/1.1, no more of it than proxies speak."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from oidproxy.clouds.limits import Limits
from oidproxy.http.body import BodyReader, body_reader
from oidproxy.http.parse import find_head_end, request_head
from oidproxy.trace.virtual.answering import Answer, Asked

if TYPE_CHECKING:
    from oidproxy.trace.virtual.answering import Answering
    from oidproxy.trace.virtual.ledger import Entry, Ledger
    from oidproxy.trace.virtual.links import Link
    from oidproxy.trace.virtual.loop import VirtualLoop
    from oidproxy.trace.virtual.service_times import ServiceTimes
    from oidproxy.trace.virtual.transport import Transport

PIECE_SECONDS = 0.25
"""Data is sent in pieces that take so long at least, so that those who share a way take turns …"""
PIECES = 64
"""… and in so many of them at most …"""
LONGEST_SECONDS = 10.0
"""… unless one took longer than this, so that nobody thinks that the cloud has fallen silent."""

_LIMITS = Limits()
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_SUBJECT = re.compile(rb"\r\nX-Subject-Token: ([^\r]*)", re.IGNORECASE)


class Service(asyncio.Protocol):
    """The server's end."""

    __slots__ = (
        "_answering",
        "_asked",
        "_buffer",
        "_came",
        "_ledger",
        "_loop",
        "_reader",
        "_root",
        "_times",
        "_transport",
    )

    def __init__(
        self, loop: VirtualLoop, answering: Answering, ledger: Ledger, times: ServiceTimes, root: str
    ) -> None:
        self._loop = loop
        self._answering = answering
        self._ledger = ledger
        self._times = times
        self._root = len(root)
        self._transport: Transport
        self._buffer = b""
        self._asked: Asked | None = None
        self._reader: BodyReader | None = None
        self._came = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A proxy connected."""
        self._transport = cast("Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._reader is not None:
            self._read(data)
            return
        if self._buffer:
            data = self._buffer + data
        end = find_head_end(data, 0)
        if end < 0:
            self._buffer = data
            return
        self._buffer = b""
        head, rest = data[:end], data[end:]
        entry = self._ledger.find(head)
        self._asked = self._understood(head, entry)
        self._came = 0
        if head.startswith((b"GET ", b"DELETE ", b"HEAD ")) and not rest:
            self._answer()
            return
        reader = body_reader(request_head(head, _LIMITS).framing, _LIMITS)
        if reader.done:
            self._answer()
            return
        self._reader = reader
        if b"100-continue" in head:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if rest:
            self._read(rest)

    def _understood(self, head: bytes, entry: Entry | None) -> Asked:
        method, _, behind = head.partition(b" ")
        target = behind[: behind.index(b" ")].decode("latin-1")
        path, _, query = target.partition("?")
        subject = _SUBJECT.search(head) if path.endswith("/auth/tokens") else None
        named = subject[1].decode("latin-1") if subject is not None else ""
        return Asked(method.decode(), path[self._root :], query, named, entry)

    def _read(self, data: bytes) -> None:
        if self._reader is None:
            return
        fed = self._reader.feed(data)
        self._came += sum(map(len, fed.pieces))
        if fed.done:
            self._reader = None
            self._answer()

    def _answer(self) -> None:
        asked = self._asked
        if asked is None:
            return
        entry, cloud = asked.entry, self._answering.cloud
        size = self._came if entry is None or not self._came else max(self._came, entry.stands_for)
        answer = self._answering.answer(asked)
        if entry is not None:
            entry.reaches(cloud, size)
        seconds = self._times.of(cloud, entry) + self._upload(size)
        self._loop.at(self._loop.now + seconds, self._send, (asked, answer))

    def _upload(self, size: int) -> float:
        """Seconds for what stands for more bytes than it is to have come here."""
        rate = self._way_here.rate
        return (size - self._came) / rate if rate else 0.0

    @property
    def _way_here(self) -> Link:
        return self._transport.peer_link

    def _send(self, sent: tuple[Asked, Answer]) -> None:
        asked, answer = sent
        body = answer.body
        weight = len(body) if answer.weight < 0 else answer.weight
        if asked.entry is not None:
            asked.entry.answers(self._answering.cloud, answer.status, weight)
        head = _head(answer)
        transport = self._transport
        if asked.method == "HEAD" or answer.status == 204:
            transport.write(head)
        elif weight == len(body):
            transport.write(head + body)
        else:
            transport.write(head)
            self._send_data(body, weight)

    def _send_data(self, body: bytes, weight: int) -> None:
        rate = self._transport.link.rate
        seconds = weight / rate if rate else 0.0
        count = max(min(PIECES, int(seconds / PIECE_SECONDS)), int(seconds / LONGEST_SECONDS)) + 1
        self._send_piece((body, weight, 0, max(1, min(count, len(body)))))

    def _send_piece(self, rest: tuple[bytes, int, int, int]) -> None:
        """The next piece; the one behind it when this one has left."""
        body, weight, number, count = rest
        transport = self._transport
        part = body[len(body) * number // count : len(body) * (number + 1) // count]
        transport.write_weighing(part, weight // count)
        if number + 1 < count and not transport.is_closing():
            self._loop.at(transport.link.free_of_data_at, self._send_piece, (body, weight, number + 1, count))


def _head(answer: Answer) -> bytes:
    status = answer.status
    first = b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b""))
    if status == 204:
        return first + b"\r\n"
    return b"%bContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n" % (
        first,
        answer.content_type,
        len(answer.body),
        answer.fields,
    )
