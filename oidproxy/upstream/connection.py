"""One connection to one cloud: writes a request, reads its answer, and knows whether it may be used again.

Theory of operation. A connection serves one exchange at a time. The answer is read through `http.parse` and
`http.body`; what they refuse destroys the connection, since nobody can tell where the next answer would
begin. It may be used again only if request and answer are complete, both sides keep it, and no byte follows
the answer; and before it is, the socket is looked at once more, because bytes or an end that came meanwhile
would be taken for the next user's answer (rule A9). Times are looked after by `sweep`, which the pool calls
every so often: the hot path only leaves a mark.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Protocol, cast

from oidproxy.errors import BadAnswer, ConnectionBroken, UpstreamError
from oidproxy.http.body import BodyReader, body_reader
from oidproxy.http.parse import find_head_end, response_head

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits
    from oidproxy.http.head import ResponseHead
    from oidproxy.upstream.call import Express
    from oidproxy.upstream.exchange import Exchange

READ_SIZE = 64 * 1024


class Owner(Protocol):
    """Whose connection it is: the pool."""

    limits: Limits
    loop: asyncio.AbstractEventLoop

    def completed(self, connection: Connection, exchange: Exchange, *, reusable: bool) -> None:
        """The answer is complete."""

    def broken(self, connection: Connection, exchange: Exchange, error: UpstreamError) -> None:
        """No (complete) answer will come on this connection, which is closed or about to be."""

    def gone(self, connection: Connection) -> None:
        """It is closed."""


class Connection(asyncio.BufferedProtocol):
    """Reads into the loop's one buffer: a read is handed over and copied before the next one begins."""

    __slots__ = (
        "_body_begun",
        "_buffered",
        "_delayed",
        "_held",
        "_keep",
        "_owner",
        "_paused",
        "_poll",
        "_quiet_since",
        "_reader",
        "_touched",
        "_transport",
        "_view",
        "address",
        "exchange",
        "express",
        "idle_since",
        "unanswered",
        "used",
        "writing_held",
    )

    def __init__(self, owner: Owner, address: str, view: memoryview) -> None:
        self._owner = owner
        self._view = view
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._reader: BodyReader | None = None
        self._held = bytearray()
        self._keep = False
        self._paused = False
        self._touched = False
        self._quiet_since = 0.0
        self._buffered = 0
        self._body_begun = False
        self._delayed: list[bytes] = []
        self.address = address
        self.exchange: Exchange | None = None
        self.express: Express | None = None
        """Whose request is on it, while no exchange was made of it."""
        self.idle_since = 0.0
        self.used = 0
        """How many requests were begun on it."""
        self.unanswered = True
        """Not one byte of an answer to the exchange came yet."""
        self.writing_held = False

    # For the pool.

    def begin(self, exchange: Exchange) -> None:
        """Send the head of an exchange's request."""
        self.exchange = exchange
        self.used += 1
        self.unanswered = True
        self._body_begun = False
        self._touched = True
        cast("asyncio.Transport", self._transport).write(exchange.request.head)

    def carry(self, express: Express, head: bytes) -> None:
        """Send a request without a body, of which no exchange is made."""
        self.express = express
        self.used += 1
        self.unanswered = True
        self._body_begun = False
        self._touched = True
        cast("asyncio.Transport", self._transport).write(head)

    def take_up(self, exchange: Exchange) -> None:
        """Go on with an exchange, whose request was sent before."""
        self.express = None
        self.exchange = exchange

    def reread(self, data: bytes) -> None:
        """Take bytes that came before as if they came now."""
        exchange = self.exchange
        if exchange is not None and data:
            self._read(exchange, data)

    @property
    def whole_exchange(self) -> Exchange | None:
        """The exchange under way; made now if there is none yet."""
        if self.express is not None:
            self.express.unfold()
        return self.exchange

    @property
    def open(self) -> bool:
        """Whether it can be written to."""
        return self._transport is not None and not self._transport.is_closing()

    def fit(self) -> bool:
        """Whether an idle connection can be used: open, and nothing to read on it, which includes its end."""
        return self.open and not self._poll.poll(0)

    def abort(self) -> None:
        """Close at once; whoever uses it is not told."""
        self.exchange = self.express = None
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float, limits: Limits) -> None:
        """Look after the times."""
        if self.express is not None:
            if self._touched:
                self._touched = False
                self._quiet_since = now
                return
            if now - self._quiet_since < limits.first_byte:
                return
        exchange = self.whole_exchange
        if exchange is None:
            if now - self.idle_since >= limits.upstream_keep_alive:
                self.abort()
        elif self._moved():
            self._quiet_since = now
        elif now - self._quiet_since >= exchange.patience(limits):
            self._fail(exchange, exchange.out_of_patience(limits))

    # For the exchange.

    def write_body(self, parts: tuple[bytes, ...]) -> None:
        """Send body bytes.

        A cloud that refuses an upload answers and closes; a write into that closes our side, unread answer
        and all (rule E6). So where there is something to read, writing waits until it was read.
        """
        if self._delayed:
            self._delayed.extend(parts)
        elif self._body_begun and not self._paused and self._poll.poll(0):
            self._delayed.extend(parts)
            # Two turns of the loop: the first may run before the socket is looked at.
            self._owner.loop.call_soon(self._owner.loop.call_soon, self._write_delayed)
        else:
            self._write(parts)
        self._body_begun = True

    def touch(self) -> None:
        """Something happened: patience begins anew."""
        self._touched = True

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport is not None and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if self._transport is not None and self._paused and not self._transport.is_closing():
            self._paused = False
            self._touched = True
            self._transport.resume_reading()

    # For the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, TLS included."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._owner.limits.buffer)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop's wish; ours is the limit
        """Where to read to."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came."""
        data = bytes(self._view[:nbytes])
        self._touched = True
        self.unanswered = False
        if self.express is not None:
            self.express.came(data)
        elif self.exchange is not None:
            self._read(self.exchange, data)
        else:
            self.abort()  # nobody asked

    def _read(self, exchange: Exchange, data: bytes) -> None:
        try:
            if self._reader is None:
                self._read_head(exchange, data)
            else:
                self._read_body(exchange, self._reader, data)
        except BadAnswer as error:
            self._fail(exchange, BadAnswer(f"{exchange.place}: {error.message}"))

    def eof_received(self) -> None:
        """The cloud closed: the end of a body that has no other, or of the connection."""
        exchange, reader = self.whole_exchange, self._reader
        if exchange is not None and reader is not None and reader.ends_with_stream():
            self._keep = False
            self._complete(exchange, b"")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its text is not for us to show
        """Closed, by whomever."""
        exchange, self.exchange = self.whole_exchange, None
        self._transport = None
        self._delayed.clear()
        self._owner.gone(self)
        if exchange is not None:
            what = "broke off its answer" if exchange.answered else "closed the connection without an answer"
            self._owner.broken(self, exchange, ConnectionBroken(f"{exchange.place} {what}."))

    def pause_writing(self) -> None:
        """More is buffered than should be."""
        self.writing_held = True
        exchange = self.whole_exchange
        if exchange is not None:
            exchange.writing_held()

    def resume_writing(self) -> None:
        """Little is buffered."""
        self.writing_held = False
        if self.exchange is not None:
            self.exchange.writing_free()

    # Inside.

    def _read_head(self, exchange: Exchange, data: bytes) -> None:
        start = 0
        if self._held:
            start = max(0, len(self._held) - 3)
            data = bytes(self._held + data)
            self._held.clear()
        while self.exchange is exchange:
            end = find_head_end(data, start)
            limits = self._owner.limits
            if (end if end >= 0 else len(data)) > limits.answer_head:
                raise BadAnswer(f"The head of the answer is larger than {limits.answer_head} bytes.")
            if end < 0:
                self._held += data
                return
            head = response_head(data[:end], method=exchange.request.method, limits=limits)
            data, start = data[end:], 0
            if not head.informational:
                self._answer(exchange, head, data)
                return
            _inform(exchange, head)
            if not data:
                return

    def _answer(self, exchange: Exchange, head: ResponseHead, rest: bytes) -> None:
        """Tell of the answer and what of its body came along; if that is bad, nothing was relayed."""
        self._keep = head.keep_alive
        reader = body_reader(head.framing, self._owner.limits, BadAnswer)
        fed = None if reader.done or not rest else reader.feed(rest)
        self._reader = reader
        exchange.ending = reader.done
        exchange.answer(head)
        if fed is not None:
            rest = fed.rest
            self._relay(exchange, fed.pieces)
        if reader.done and self.exchange is exchange:
            self._complete(exchange, rest)

    def _read_body(self, exchange: Exchange, reader: BodyReader, data: bytes) -> None:
        pieces, done, rest = reader.feed(data)
        exchange.ending = done
        self._relay(exchange, pieces)
        if done and self.exchange is exchange:
            self._complete(exchange, rest)

    def _relay(self, exchange: Exchange, pieces: list[bytes]) -> None:
        for piece in pieces:
            if self.exchange is not exchange:  # cancelled meanwhile
                return
            exchange.receiver.data(piece)

    def _complete(self, exchange: Exchange, rest: bytes) -> None:
        reusable = self._keep and not rest and exchange.sent_whole and not self._delayed and self.open
        self.exchange = self._reader = None
        if not reusable:
            self.abort()
        elif self._paused:
            self.resume()
        self._owner.completed(self, exchange, reusable=reusable)

    def _fail(self, exchange: Exchange, error: UpstreamError) -> None:
        self.abort()
        self._owner.broken(self, exchange, error)

    def _write(self, parts: tuple[bytes, ...] | list[bytes]) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    def _write_delayed(self) -> None:
        parts, self._delayed = self._delayed, []
        if parts and self.exchange is not None:
            self._write(parts)

    def _moved(self) -> bool:
        """Whether anything happened since the last look: bytes came or went, or nothing should have."""
        touched, self._touched = self._touched, False
        transport = self._transport
        buffered = 0 if transport is None else transport.get_write_buffer_size()
        sent, self._buffered = buffered != self._buffered, buffered
        exchange = cast("Exchange", self.exchange)
        # While the answer is paused, or the asker has yet to give more of the body, the cloud has nothing to
        # do.
        waits_for_us = self._paused or (not exchange.sent_whole and not buffered)
        return touched or sent or waits_for_us


def _inform(exchange: Exchange, head: ResponseHead) -> None:
    if head.status == 101:
        raise BadAnswer("The answer switches protocols, which nobody asked for.")
    exchange.receiver.informational(head)
