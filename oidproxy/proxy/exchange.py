"""One request and its answer: what is between a client's connection and a call to a cloud.

Theory of operation. `begin` asks routing for a decision and `act` carries it out; from then on the
exchange is pushed from both sides and never blocks: the connection pushes body pieces and says when the
client is gone, the call (whose `Receiver` this is) pushes the answer. Whichever side is slow holds the other.
Exactly one of `_finish` and `lost` ends it, and then one access line is written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from oidproxy.errors import BodyTooLarge, InternalError, OidproxyError, UpstreamError
from oidproxy.http.answer import error_answer, own_answer
from oidproxy.http.chunked import LAST, encode
from oidproxy.http.head import Chunked, Length, RequestHead, ResponseHead
from oidproxy.manyclouds.finding.creations import reading_along
from oidproxy.proxy.account import Account
from oidproxy.rewrite.answer import answer as rewrite_answer
from oidproxy.rewrite.answer import informational_head
from oidproxy.rewrite.ids import NO_IDS, Ids
from oidproxy.routing.decide import decide, decide_body

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from oidproxy.clouds.limits import Limits
    from oidproxy.identity.service import Outgoing
    from oidproxy.manyclouds.finding.creations import Reads
    from oidproxy.proxy.serving import Serving
    from oidproxy.proxy.terms import Client
    from oidproxy.routing.decision import Arrival, Decision, FanOut, Forward, Route, Snapshot
    from oidproxy.upstream.call import Call, Receiver, Request

_log = logging.getLogger("oidproxy.proxy")

_OK = 200

BULK_SERVICES = frozenset({"image", "object-store"})
"""Uploads to these may be as slow as their clients; anywhere else a slow post holds a connection idly."""


Act = Callable[["Exchange", "Decision"], None]


class Begun(Protocol):
    """An answer of which the head is known, and the rest is held back (`manyclouds.opening.Opening`)."""

    def drop(self) -> None:
        """Nobody wants it."""
        ...

    def hand_over(self, receiver: Receiver) -> Call | None:
        """Give the body, from its first byte on; the call, if it is still under way."""
        ...


class Exchange:
    """Implements `upstream.call.Receiver` for a forwarded request."""

    __slots__ = (
        "_act",
        "_answer_head",
        "_call",
        "_chunked",
        "_collected",
        "_collects_at_most",
        "_continued",
        "_gathered",
        "_keep_alive",
        "_over",
        "_paused",
        "_reading_for",
        "_ready_early",
        "_scanner",
        "_swept",
        "_task",
        "_whole_body",
        "account",
        "answered",
        "arrival",
        "connection",
        "found_among",
        "head",
        "ids",
        "repeatable",
        "request",
        "route",
        "sent",
        "serving",
        "snapshot",
    )

    def __init__(
        self,
        connection: Client,
        serving: Serving,
        head: RequestHead | None,
        arrival: Arrival | None,
        act: Act,
        *,
        snapshot: Snapshot | None = None,
    ) -> None:
        """`act` carries out what is decided; `head` and `arrival` are None for a head that cannot be read.

        `snapshot` is the current one where none is given.
        """
        self._act = act
        self.connection = connection
        self.serving = serving
        self.head = head
        self.request = cast("RequestHead", head)
        """The request's head; there is one but where it could not be read."""
        self.arrival = cast("Arrival", arrival)
        """Where it came in; known whenever the head is."""
        self.snapshot: Snapshot = snapshot or serving.snapshot
        self.account = Account(connection, serving, head)
        if self.account.taken is not None and arrival is not None:
            self.account.beside = arrival.listener.cloud or ""
        self.route: Route | None = None
        self.sent: tuple[Forward, Outgoing] | None = None
        """What was forwarded, and the tokens that went with it."""
        self.ids: Ids = NO_IDS
        """Ids of the cloud's that the client knows by other names."""
        self.repeatable: Request | None = None
        """What was forwarded as it was decided, at once: the express lane may learn from it …"""
        self.found_among: FanOut | None = None
        """… where it was asked of the one of several clouds that is known to hold it."""
        self.answered = False
        """The head of the answer went out."""
        self._answer_head: ResponseHead | None = None
        self._call: Call | None = None
        self._task: asyncio.Task[None] | None = None
        self._collected: bytearray | None = None
        self._collects_at_most = 0
        self._whole_body: bytes | None = None
        self._continued = False
        self._ready_early = False
        self._keep_alive = False
        self._gathered: list[bytes] = []
        """What goes to the client together with the end of the answer, which is about to be told."""
        self._scanner: Reads | None = None
        self._chunked = False
        self._over = False
        self._paused = False
        self._swept = 0.0
        self._reading_for = 0.0

    # From the connection.

    def begin(self) -> None:
        """Decide, and do it."""
        self._carry_out(decide(self.request, self.arrival, self.snapshot, self.serving.clock()))

    def body(self, piece: bytes) -> None:
        """A piece of the request's body."""
        self.account.bytes_in += len(piece)
        if self.account.taken is not None:
            self.account.taken.came(piece)
        if self._collected is not None:
            self._collected += piece
            if len(self._collected) > self._collects_at_most:
                self._collected = None
                self.refuse(_too_large(self._collects_at_most))
        elif self._call is not None:
            self._call.send(piece)

    def body_end(self) -> None:
        """The request's body is complete."""
        self.account.received = time.perf_counter()
        if self._collected is not None:
            body, self._collected = bytes(self._collected), None
            now = self.serving.clock()
            self._carry_out(decide_body(self.request, body, self.arrival, self.snapshot, now))
        elif self._call is not None:
            self._call.finish()

    def bad_body(self, error: OidproxyError) -> None:
        """The rest of the body cannot be had: the cloud must not take what came for the whole (rule A8)."""
        self._drop_call()
        self.refuse(error)

    def lost(self) -> None:
        """The client is gone (rule E7)."""
        if self._over:
            return
        self._over = True
        self._drop_call()
        if self._task is not None:
            self._task.cancel()
        # After an error of ours it was not the client who left.
        self.account.lost = self.account.error is None
        self.account.close()

    def pause(self) -> None:
        """The client reads slower than the cloud sends."""
        self._paused = True
        if self._call is not None:
            self._call.pause()

    def resume(self) -> None:
        """The client caught up."""
        self._paused = False
        if self._call is not None:
            self._call.resume()

    def too_slow(self, now: float, limits: Limits) -> bool:
        """Whether a body that is not bulk data comes below the minimum rate; asked while it is being read."""
        if self.route is not None and self.route.service_type in BULK_SERVICES:
            return False
        if self._swept:
            self._reading_for += now - self._swept
        self._swept = now
        return (
            self._reading_for > limits.body_idle
            and self.account.bytes_in < limits.body_rate * self._reading_for
        )

    # From dispatch.

    def collect(self, limit: int) -> None:
        """Read the body whole, then decide again."""
        framing = self.request.framing
        if isinstance(framing, Length) and framing.size > limit:
            self.refuse(_too_large(limit))
            return
        self._collected = bytearray()
        self._collects_at_most = limit
        if self.connection.body_unread:
            self._continue()
        else:
            self.body_end()

    def wait(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what cannot be done at once; no more of the body is read until then."""
        if self.connection.body_unread:
            self.connection.hold()
        self._task = self.serving.spawn(self._guarded(work))
        # Cancelled before its first step, the task never begins the work, which must be closed all the same.
        self._task.add_done_callback(lambda _: work.close())

    def send(self, request: Request, body: bytes | None = None) -> None:
        """Start the call; `body` is what goes with it where the client's was read whole before."""
        if body is not None:
            self._whole_body = body
        if self.connection.body_unread:
            self.connection.hold()
        self.account.sent = time.perf_counter()
        call = self.serving.upstreams.start(request, self)
        if self._over:
            return
        self._call = call
        if self._paused:
            call.pause()
        if self._ready_early:
            self.ready()

    def take_up(self, call: Call, forward: Forward, outgoing: Outgoing) -> None:
        """Go on where `send` ends, for a request that was sent before there was an exchange."""
        self._call = call
        self.sent = forward, outgoing
        self.route = forward.route
        self.account.token = forward.token
        self.account.goes(forward.route, None)

    @property
    def over(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._over

    def give_to(self, call: Call | None) -> None:
        """Give the request's body to a call that somebody else begins and answers for; None takes it back."""
        self._call = call

    def adopt(self, head: ResponseHead, answer: Begun) -> None:
        """Pass on an answer that somebody else awaited, whose call goes on as this exchange's own."""
        if self._over:
            answer.drop()
            return
        self.answer(head)
        self._call = answer.hand_over(self)
        if self._paused and self._call is not None:
            self._call.pause()

    def refuse(self, error: OidproxyError) -> None:
        """Answer with an error of our own."""
        if self._over:
            return
        self._drop_call()
        self.account.error = error.code
        if self.answered:
            self.connection.abort()
            return
        close = not self._may_keep_alive()
        data = error_answer(
            error,
            request_id=self.account.request_id,
            head_only=self._head_only,
            close=close,
            fields=self.account.explanation,
        )
        self._answer_whole(error.status, data, close=close)

    def reply(self, status: int, fields: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        """Answer with a whole answer of our own making."""
        if self._over:
            return
        close = not self._may_keep_alive()
        fields = (*fields, *self.account.own_fields(fields))
        data = own_answer(status, body, fields, head_only=self._head_only, close=close)
        self._answer_whole(status, data, close=close)

    # From the call: upstream.call.Receiver.

    def ready(self) -> None:
        """The cloud takes body bytes (again)."""
        if self._call is None:
            self._ready_early = True
            return
        if self._whole_body is not None:
            body, self._whole_body = self._whole_body, None
            self._call.send(body)
            self._call.finish()
        self._swept = 0.0  # how long the cloud held the body is not its client's time
        if self.connection.body_unread:
            self._continue()
        self.connection.release()

    def hold(self) -> None:
        """The cloud reads slower than the client sends."""
        self.connection.hold()

    def informational(self, head: ResponseHead) -> None:
        """102 and 103 are passed on; 100 is ours to give (rule C11)."""
        if head.status != 100 and self.request.minor == 1 and not self.answered:
            self.connection.write(informational_head(head))

    def answer(self, head: ResponseHead) -> None:
        """The head of the cloud's answer: rewritten and passed on."""
        try:
            self._answer(head)
        except Exception as error:  # noqa: BLE001 - whatever fails here is answered
            self._failed(error)

    def data(self, data: bytes) -> None:
        """A piece of the answer."""
        if self._over:
            return
        if self._scanner is not None:
            data = self._scanner.feed(data)
        self._write_body(data)

    def end(self) -> None:
        """The answer is complete."""
        if self._over:
            return
        try:
            self._end()
        except Exception as error:  # noqa: BLE001 - whatever fails here is answered
            self._failed(error)

    def failure(self, error: UpstreamError) -> None:
        """The call failed; after the head of the answer all that is left is to cut it short (rule A8)."""
        self._call = None
        if self._over:
            return
        self.refuse(error)

    # Inside.

    @property
    def _head_only(self) -> bool:
        return self.head is not None and self.head.method == "HEAD"

    def _carry_out(self, decision: Decision) -> None:
        self.account.decided = time.perf_counter()
        try:
            self._act(self, decision)
        except Exception as error:  # noqa: BLE001 - whatever fails here is answered
            self._failed(error)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever fails here is answered
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Answer what went wrong; what is no error of ours is a bug, of which the log gets the trace."""
        if isinstance(error, OidproxyError):
            self.refuse(error)
            return
        _log.error("request %s failed by a bug", self.account.request_id, exc_info=error)
        self.refuse(InternalError("The proxy failed; its log has more under this request's id."))

    def _continue(self) -> None:
        if self.request.expects_continue and not self._continued and not self.answered:
            self.connection.ask_to_continue()
        self._continued = True

    def _may_keep_alive(self) -> bool:
        return (
            self.head is not None
            and self.head.keep_alive
            and not self.serving.draining
            and not self.connection.body_unread
        )

    def _answer(self, head: ResponseHead) -> None:
        self._answer_head = head
        request, route = self.request, cast("Route", self.route)
        links = self.serving.links(self.snapshot, route.endpoint, route.facade)
        rewritten = rewrite_answer(
            head, route, request.method, links, client_minor=request.minor, ids=self.ids
        )
        self._scanner = rewritten.scanner
        self._chunked = isinstance(rewritten.framing, Chunked)
        self._keep_alive = self._may_keep_alive() and not rewritten.until_close
        self.answered = True
        self.account.status = head.status
        self.account.begins_answer()
        if head.status != 200:
            if head.status == 401 and self.sent is not None:
                self.serving.identity.unaccepted(*self.sent)
            elif request.method == "POST":
                self._scanner = reading_along(self._scanner, route, head, self.serving.many.made)
        if self.account.taken is not None:
            self._scanner = self.account.taken.answered(head, self._scanner)
        extra = self.account.own_fields(rewritten.fields)
        self._pass_on(rewritten.head_bytes(extra, close=not self._keep_alive))

    def _end(self) -> None:
        if self._scanner is not None:
            self._write_body(self._scanner.finish())
            if self._scanner.learned and self.route is not None:
                self.serving.learn(self.route.endpoint, self._scanner.learned)
        if self._chunked and not self._head_only:
            self._gathered.append(LAST)
        self._call = None
        self.connection.write(b"".join(self._gathered))
        request, head = self.repeatable, self._answer_head
        if request is not None and head is not None and head.status == _OK:
            self.serving.express.learn(self, request, head, self.account.request_id)
        self._finish()

    def _write_body(self, data: bytes) -> None:
        if data:
            self.account.bytes_out += len(data)
            self._pass_on(encode(data) if self._chunked else data)

    def _pass_on(self, data: bytes) -> None:
        """To the client: now, or with the end if that is about to come: each write costs a system call."""
        if self._call is not None and self._call.ending:
            self._gathered.append(data)
        else:
            self.connection.write(data)

    def _answer_whole(self, status: int, data: bytes, *, close: bool) -> None:
        self.answered = True
        self.account.status = status
        self.account.begins_answer()
        self.account.bytes_out = len(data) - data.find(b"\r\n\r\n") - 4
        if self.account.taken is not None:
            self.account.taken.replied(data)
        self._keep_alive = not close
        self.connection.write(data)
        self._finish()

    def _finish(self) -> None:
        self._over = True
        self.account.close()
        self.connection.done(keep_alive=self._keep_alive)

    def _drop_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"This request's body has to be read whole, so it may hold at most {limit} bytes.")
