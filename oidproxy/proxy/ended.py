"""A request that took the whole way, when it is over: what a recording tells of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from oidproxy.trace.hiding import READ_AT_MOST, is_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.clouds.plan import One
    from oidproxy.http.head import RequestHead, ResponseHead
    from oidproxy.manyclouds.finding.creations import Reads
    from oidproxy.manyclouds.record import Record
    from oidproxy.routing.decision import Route
    from oidproxy.tokens.presented import Presented


LIST_AT_MOST = 16 * 1024
"""Bytes of an answer that is read for the names in it alone."""

_ROOM = MappingProxyType({"POST": READ_AT_MOST, "GET": LIST_AT_MOST})
"""Method -> what of its answers is read: ids of what was made, names."""


class Taken:
    """What is gathered of one request besides what every access line has; only while there is a recording."""

    __slots__ = ("answer", "body", "encoding", "head", "location", "room")

    def __init__(self, head: RequestHead, *, bodies: bool) -> None:
        kind = head.get(b"content-type")
        self.body: bytearray | None = bytearray() if kind is not None and is_json(kind) else None
        """The request's, if it is JSON and not long."""
        self.answer: bytearray | None = None
        """The answer's, as the client got it."""
        self.encoding = b""
        """… and how it is encoded."""
        self.location = b""
        self.head = b""
        """The answer's, where it is one of the proxy's own making."""
        self.room = READ_AT_MOST if bodies else _ROOM.get(head.method, 0)
        """Bytes of the answer that are gathered."""

    def came(self, piece: bytes) -> None:
        """A piece of the request's body."""
        if self.body is not None:
            self.body += piece
            if len(self.body) > READ_AT_MOST:
                self.body = None

    def answered(self, head: ResponseHead, scanner: Reads | None) -> Reads | None:
        """What the answer's body has to pass: `scanner`, and whoever reads along, if the body is of use."""
        self.location = head.index.get(b"location", b"")
        kind = head.index.get(b"content-type")
        if not self.room or kind is None or not is_json(kind):
            return scanner
        self.encoding = head.index.get(b"content-encoding", b"")
        self.answer = bytearray()
        return _Along(self, scanner)

    def replied(self, data: bytes) -> None:
        """A whole answer of the proxy's own making, head and body."""
        self.head, _, body = data.partition(b"\r\n\r\n")
        if len(body) <= self.room:
            self.answer = bytearray(body)

    def gave(self, piece: bytes) -> None:
        """A piece of the answer's body."""
        if self.answer is not None:
            self.answer += piece
            if len(self.answer) > self.room:
                self.answer = None


class _Along:
    """Implements `creations.Reads`: hears what the client gets."""

    __slots__ = ("_scanner", "_taken")

    def __init__(self, taken: Taken, scanner: Reads | None) -> None:
        self._taken = taken
        self._scanner = scanner

    @property
    def learned(self) -> tuple[str, ...]:
        """As whoever scans it says."""
        return () if self._scanner is None else self._scanner.learned

    def feed(self, data: bytes) -> bytes:
        """A piece."""
        if self._scanner is not None:
            data = self._scanner.feed(data)
        self._taken.gave(data)
        return data

    def finish(self) -> bytes:
        """The rest."""
        data = b"" if self._scanner is None else self._scanner.finish()
        self._taken.gave(data)
        return data


class Ended(msgspec.Struct, kw_only=True):
    """All of it. Times are of `time.perf_counter`, but for `epoch`."""

    epoch: int
    """When it began, in nanoseconds since the epoch …"""
    began: float
    """… and by the other clock."""
    decided: float
    """0 for what did not happen; likewise with those that follow."""
    received: float
    sent: float
    first_byte: float
    done: float
    head: RequestHead | None
    route: Route | None
    token: Presented | None
    request_id: str
    caller: str | None
    status: int
    bytes_in: int
    bytes_out: int
    error: str | None
    lost: bool
    listener: str
    """The cloud beside which the listener stands."""
    chosen: Sequence[One]
    """The clouds, where they are several."""
    record: Record | None
    """What became of them."""
    taken: Taken | None
