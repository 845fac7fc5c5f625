"""One client's connection: bytes in, one exchange at a time, bytes out.

Requests that were pipelined wait here, unread beyond `limits.buffer`, until the answer before them is
complete. All times are kept by one coarse sweep over the connections (`sweep`), never by a timer per request.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, cast

from oidproxy.errors import Draining, OidproxyError, RequestTimedOut
from oidproxy.http.body import BodyReader, body_reader
from oidproxy.http.framing import UNTIL_CLOSE
from oidproxy.http.parse import check_unfinished, find_head_end, request_head
from oidproxy.proxy.dispatch import carry_out
from oidproxy.proxy.exchange import Exchange
from oidproxy.proxy.unfolding import unfolded
from oidproxy.routing.decision import Arrival

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits
    from oidproxy.http.head import RequestHead
    from oidproxy.proxy.passing import Passing
    from oidproxy.proxy.serving import Serving
    from oidproxy.proxy.spread import Ways
    from oidproxy.proxy.terms import Folded
    from oidproxy.proxy.way import Tails
    from oidproxy.rewrite.stencil import RequestStencil

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EMPTY_LINE = b"\r\n"
"""What some clients send behind a body. It is skipped before the next head (RFC 9112 section 2.2)."""

LINGER_SECONDS = 2.0
"""How long a closing connection still reads and discards, so that the answer before the close is not lost to
a reset (RFC 9112 section 9.6)."""


class Connection(asyncio.Protocol):
    """The downstream side of a worker."""

    __slots__ = (
        "_buffer",
        "_closing_since",
        "_exchange",
        "_held",
        "_loop",
        "_passing",
        "_paused",
        "_reader",
        "_scanned",
        "_stalled_bytes",
        "_stalled_since",
        "_touched",
        "_transport",
        "_waiting_since",
        "peer",
        "serving",
        "spot",
        "stencils",
        "tails",
        "ways",
    )

    def __init__(self, serving: Serving, host: str, port: int) -> None:
        self.serving = serving
        self._loop = asyncio.get_running_loop()
        self.spot = host, port
        self.peer = ""
        self.stencils: tuple[RequestStencil, ...] = serving.express.stencils.get(self.spot, ())
        self.ways: Ways = serving.express.ways(self.spot)
        self.tails: Tails = b"", b""
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._scanned = 0
        self._exchange: Exchange | None = None
        self._passing: Passing | None = None
        """What is under way instead, on the express lane."""
        self._reader: BodyReader | None = None
        self._held = False
        self._paused = False
        self._touched = self._waiting_since = self._loop.time()
        self._closing_since: float | None = None
        self._stalled_since: float | None = None
        self._stalled_bytes = 0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)
        limits = self._limits
        self._transport.set_write_buffer_limits(high=limits.buffer)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if peer else ""
        self.tails = self.serving.express.tails(self.peer)
        if not self.serving.admit(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client: a body goes on to its exchange, heads wait for their turn."""
        self._touched = self._loop.time()
        if (
            self._exchange is None
            and self._passing is None
            and not self._buffer
            and self._closing_since is None
            and self._stalled_since is None
            and self.stencils
        ):
            self._passing = self.serving.express.take(self, data)
            if self._passing is not None:
                return
        if self._closing_since is not None:
            return
        if self._reader is not None and self._exchange is not None:
            self._feed(data)
            return
        if not self._buffer or self._buffer == EMPTY_LINE:
            self._waiting_since = self._touched = self._loop.time()
        self._buffer += data
        if not self._under_way:
            self._next()
        self._regulate()

    def eof_received(self) -> bool:
        """The client sends no more: it is taken to be gone; one that only half-closed looks the same (E7)."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client is gone: whatever is under way for it stops."""
        self.serving.dismiss(self)
        self._transport = None
        exchange = self._whole_exchange
        self._exchange = self._reader = None
        if exchange is not None:
            exchange.lost()

    def pause_writing(self) -> None:
        """The client reads slower than the cloud sends."""
        self._stalled_since = self._loop.time()
        self._stalled_bytes = self._unsent()
        exchange = self._whole_exchange
        if exchange is not None:
            exchange.pause()

    def resume_writing(self) -> None:
        """The client caught up."""
        self._stalled_since = None
        if self._exchange is not None:
            self._exchange.resume()
        else:
            self._waiting_since = self._loop.time()
            self._loop.call_soon(self._next)

    # What an exchange calls.

    @property
    def address(self) -> str:
        """Where the client connected to."""
        return f"{self.spot[0]}:{self.spot[1]}"

    @property
    def connected(self) -> bool:
        """Whether the client is still there."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def body_unread(self) -> bool:
        """Whether some of the current request's body was not received yet."""
        return self._reader is not None

    def write(self, data: bytes) -> None:
        """Send bytes of an answer."""
        if self._transport is not None and data:
            if self._reader is not None:
                # An early answer is on its way: its client may well have stopped to send.
                self._touched = self._loop.time()
            self._transport.write(data)

    def hold(self) -> None:
        """Read no more of the body for now."""
        self._held = True
        self._regulate()

    def release(self) -> None:
        """Read on."""
        self._held = False
        self._touched = self._loop.time()
        self._regulate()

    def ask_to_continue(self) -> None:
        """Let a client that expects 100 send its body, unless it began already (RFC 9110 section 10.1.1)."""
        if not self._buffer:
            self.write(CONTINUE)

    def done(self, *, keep_alive: bool) -> None:
        """The answer is complete: on to the next request, or close."""
        self._exchange = None
        unread, self._reader = self._reader is not None, None
        self._held = False
        if not keep_alive or unread:
            self.close(sending=unread)
            return
        self._waiting_since = self._touched = self._loop.time()
        if self._buffer:
            # Not at once: a client that pipelines thousands of requests must not deepen the stack.
            self._loop.call_soon(self._next)
        self._regulate()

    def passed(self, answer: bytes) -> None:
        """The answer of a request on the express lane, whole: send it, and on to the next."""
        self._passing = None
        if self._transport is not None:
            self._transport.write(answer)
        self._waiting_since = self._touched = self._loop.time()
        if self._buffer:
            self._loop.call_soon(self._next)
            self._regulate()

    def unfold(self, folded: Folded) -> None:
        """The request leaves the express lane: go on with an exchange of it."""
        self._passing = None
        self._exchange = unfolded(folded, self, self.serving)
        folded.upstream.reread(folded.got)

    def close(self, *, sending: bool = False) -> None:
        """Close, after the client had the chance to read what was sent; it may still be `sending` itself."""
        transport = self._transport
        if transport is None or self._closing_since is not None:
            return
        self._closing_since = self._loop.time()
        self._stalled_bytes = self._unsent()
        self._buffer.clear()
        if transport.can_write_eof():
            transport.write_eof()
        elif not sending:
            transport.close()
        # Else it is TLS, which cannot be half-closed: the answer said that it is the last one.
        self._regulate()

    def abort(self) -> None:
        """Close at once, so that the client can tell that its answer is cut short."""
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Look after the times (rules D1-D3); called about twice a second."""
        limits = self._limits
        if self._closing_since is not None:
            self._sweep_closing(now, limits, self._closing_since)
        elif self._paused and self._hung_up():
            self.abort()
        elif self._stalled_since is not None and now - self._stalled_since > limits.between_bytes:
            self._check_stall(now)
        elif not self._under_way:
            if self._stalled_since is None:
                self._sweep_idle(now, limits)
        elif self._exchange is not None and self._reader is not None and not self._paused:
            self._sweep_body(now, limits, self._exchange)

    def drain(self) -> None:
        """Close if nothing is under way; what is under way closes some time after its end.

        A connection that was used or made a moment ago has the same grace as those that were idle before:
        its next request may be on its way.
        """
        idle_for = self._loop.time() - self._waiting_since
        if not self._under_way and not self._buffer and idle_for >= self._limits.drain_grace:
            self.close()

    # Inside.

    @property
    def _under_way(self) -> bool:
        """Whether a request is."""
        return self._exchange is not None or self._passing is not None

    @property
    def _whole_exchange(self) -> Exchange | None:
        """The exchange under way; made now of a request on the express lane."""
        if self._passing is not None:
            self._passing.unfold()
        return self._exchange

    @property
    def _limits(self) -> Limits:
        return self.serving.snapshot.registry.limits

    def _next(self) -> None:
        """Begin the next request whose head is complete."""
        if self._under_way or not self._buffer or not self.connected:
            return
        if self._stalled_since is not None:
            # Answers that nobody reads would gather here without bound.
            return
        limits = self._limits
        end = find_head_end(self._buffer, self._scanned)
        if end < 0:
            begin, self._scanned = self._scanned, max(0, len(self._buffer) - 3)
            try:
                check_unfinished(self._buffer, limits, begin)
            except OidproxyError as error:
                self._refuse(error)
            return
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._scanned = 0
        try:
            head = request_head(data, limits)
        except OidproxyError as error:
            self._refuse(error)
            return
        self._begin(head)

    def _begin(self, head: RequestHead) -> None:
        place = self.serving.place(*self.spot)
        if place is None:
            self._refuse(Draining("This address is not served any longer."))
            return
        listener, service_type = place
        arrival = Arrival(listener, self.spot[1], self.peer, service_type)
        self._exchange = exchange = Exchange(self, self.serving, head, arrival, carry_out)
        reader = body_reader(head.framing, self._limits)
        self._reader = None if reader.done else reader
        exchange.begin()
        if self._reader is not None and self._exchange is exchange and self._buffer and not self._held:
            self._feed_buffered()

    def _refuse(self, error: OidproxyError) -> None:
        """Answer a head that cannot be read, and close: where the next request begins is not known."""
        self._buffer.clear()
        self._exchange = exchange = Exchange(self, self.serving, None, None, carry_out)
        # What the client sends behind such a head is read as the rest of it, and discarded.
        self._reader = body_reader(UNTIL_CLOSE, self._limits)
        exchange.refuse(error)

    def _feed_buffered(self) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        reader, exchange = self._reader, self._exchange
        if reader is None or exchange is None:
            return
        if self._held:
            # Already on its way when reading was paused: at most one read of the loop.
            self._buffer += data
            return
        try:
            pieces, done, rest = reader.feed(data)
        except OidproxyError as error:
            exchange.bad_body(error)
            return
        if done:
            self._reader = None
            self._buffer += rest
        if pieces:
            exchange.body(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if done and self._exchange is exchange:
            exchange.body_end()

    def _regulate(self) -> None:
        """Pause or resume reading: while held, and while enough of the next requests is buffered."""
        if not (self._buffer or self._held or self._paused):
            return
        if not self._held and self._reader is not None and self._buffer:
            self._feed_buffered()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        waiting = self._under_way or self._stalled_since is not None
        full = waiting and len(self._buffer) > self._limits.buffer
        # A body that is complete is held no more, or nobody would see that its client left.
        held = self._held and self._reader is not None
        pause = (held or full) and self._closing_since is None
        if pause and not self._paused:
            self._paused = True
            transport.pause_reading()
        elif not pause and self._paused:
            self._paused = False
            transport.resume_reading()

    def _sweep_idle(self, now: float, limits: Limits) -> None:
        if self._buffer and self._buffer != EMPTY_LINE:
            if now - self._waiting_since > limits.head:
                self._refuse(RequestTimedOut(f"The request's head took longer than {limits.head:g} s."))
        elif now - self._waiting_since > self._idle_at_most(limits):
            self.close()

    def _idle_at_most(self, limits: Limits) -> float:
        return limits.drain_grace if self.serving.closing else limits.client_keep_alive

    def _sweep_closing(self, now: float, limits: Limits, since: float) -> None:
        """Lingering begins when the last byte was sent; until then a client that reads is waited for."""
        unsent = self._unsent()
        if unsent < self._stalled_bytes:
            self._stalled_bytes = unsent
            self._closing_since = now
        elif now - since > (limits.between_bytes if unsent else LINGER_SECONDS):
            self._end_of_linger()

    def _end_of_linger(self) -> None:
        transport = self._transport
        if transport is None or transport.can_write_eof():
            self.abort()
        elif not transport.is_closing():
            transport.close()
        # Else TLS says goodbye, for as long as the loop lets it.

    def _sweep_body(self, now: float, limits: Limits, exchange: Exchange) -> None:
        if now - self._touched > limits.body_idle:
            exchange.bad_body(
                RequestTimedOut(f"No byte of the request's body came for {limits.body_idle:g} s.")
            )
        elif not exchange.answered and exchange.too_slow(now, limits):
            exchange.bad_body(
                RequestTimedOut(f"The request's body came at less than {limits.body_rate} bytes a second.")
            )

    def _check_stall(self, now: float) -> None:
        """A client that reads slowly is served; one that reads nothing for `between_bytes` is not."""
        unsent = self._unsent()
        if unsent >= self._stalled_bytes:
            self.abort()
            return
        self._stalled_since = now
        self._stalled_bytes = unsent

    def _hung_up(self) -> bool:
        """Whether the client closed: while reading is paused, the loop does not look (rule E7)."""
        if self._transport is None or not self.connected:
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))

    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0
