"""One call to one cloud: a request, whoever waits for its answer, and how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from oidproxy.errors import AnswerTimedOut, UpstreamError
from oidproxy.http.chunked import LAST
from oidproxy.http.head import Chunked, Length, NoBody

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from oidproxy.clouds.limits import Limits
    from oidproxy.http.head import ResponseHead
    from oidproxy.upstream.call import Receiver, Request


class Carrier(Protocol):
    """The connection that a call goes on."""

    writing_held: bool
    """Whether the cloud reads too slowly now."""

    def write_body(self, parts: tuple[bytes, ...]) -> None:
        """Send bytes of the body, framed."""
        ...

    def touch(self) -> None:
        """Something happened: the cloud's time begins anew."""
        ...

    def pause(self) -> None:
        """Read no more for now."""
        ...

    def resume(self) -> None:
        """Go on reading."""
        ...

    def abort(self) -> None:
        """Close at once; whoever uses it is not told."""
        ...


class Exchange:
    """Implements `upstream.call.Call`. The pool drives it from waiting over connecting to its one end."""

    __slots__ = (
        "_chunked",
        "_left",
        "_on_answer",
        "_on_cancel",
        "_paused",
        "_refused",
        "answered",
        "body_begun",
        "connecting",
        "connection",
        "ending",
        "granted",
        "over",
        "probe",
        "receiver",
        "request",
        "retried",
        "sent",
        "sent_whole",
        "waits_since",
    )

    def __init__(
        self,
        request: Request,
        receiver: Receiver,
        *,
        on_answer: Callable[[Exchange], None],
        on_cancel: Callable[[Exchange], None],
    ) -> None:
        """`on_answer` hears of the answer before the receiver does, `on_cancel` that the asker is gone."""
        framing = request.framing
        self.request = request
        self.receiver = receiver
        self._on_answer = on_answer
        self._on_cancel = on_cancel
        self._chunked = isinstance(framing, Chunked)
        self._left = framing.size if isinstance(framing, Length) else 0
        self._paused = False
        self._refused = False
        self.answered = False
        """The head of the final answer came."""
        self.body_begun = False
        self.connecting: asyncio.Task[None] | None = None
        self.connection: Carrier | None = None
        self.ending = False
        """The rest of the answer is here, and is being handed over."""
        self.granted = False
        """It holds one of the pool's places."""
        self.over = False
        self.probe = False
        """Its end decides whether an ejected endpoint comes back."""
        self.retried = False
        self.sent = False
        """Some of it was handed to a connection."""
        self.sent_whole = not self._chunked and not self._left
        self.waits_since = 0.0

    @property
    def place(self) -> str:
        """Where it goes, for messages."""
        return f"{self.request.endpoint.cloud}: its {self.request.endpoint.service_type} service"

    # From the asker: upstream.call.Call.

    def send(self, data: bytes) -> None:
        """Body bytes. Raises ValueError, and sends none, if they are more than the framing says."""
        connection = self.connection
        if connection is None or self.over or self.sent_whole or self._refused or not data:
            return
        if self._chunked:
            connection.write_body((b"%x\r\n" % len(data), data, b"\r\n"))
        else:
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("more body bytes than the Content-Length of the request")
            connection.write_body((data,))
        self.body_begun = True

    def finish(self) -> None:
        """The body is complete. Raises ValueError if it is shorter than the framing says."""
        connection = self.connection
        if connection is None or self.over or self.sent_whole or self._refused:
            return
        if self._left:
            raise ValueError("fewer body bytes than the Content-Length of the request")
        if self._chunked:
            connection.write_body((LAST,))
            self.body_begun = True
        self.sent_whole = True
        connection.touch()

    def pause(self) -> None:
        """Read no more of the answer for now."""
        self._paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Go on reading."""
        self._paused = False
        if self.connection is not None:
            self.connection.resume()

    def cancel(self) -> None:
        """The asker is gone."""
        if not self.over:
            self._on_cancel(self)

    # From the pool.

    def attach(self, connection: Carrier) -> None:
        """Go on with this connection, on which the head was just sent."""
        self.connecting = None
        if self.over:  # told to hold while the head was sent, the asker left
            connection.abort()
            return
        self.connection = connection
        self.sent = True
        if self._paused:
            connection.pause()
        if not connection.writing_held:
            self.receiver.ready()

    def fail(self, error: UpstreamError) -> None:
        """Tell the asker that no (complete) answer will come."""
        error.cloud = self.request.endpoint.cloud
        error.sent = self.sent
        self.receiver.failure(error)

    # From the connection.

    def answer(self, head: ResponseHead) -> None:
        """The head of the final answer."""
        self.answered = True
        # Rule E6. Who refuses an upload reads no more of it; who says yes early may go on reading (Swift's
        # archives).
        self._refused = head.status >= 300
        self._on_answer(self)
        self.receiver.answer(head)

    def writing_held(self) -> None:
        """The cloud reads too slowly."""
        if not self.sent_whole:
            self.receiver.hold()

    def writing_free(self) -> None:
        """The cloud caught up."""
        if not self.sent_whole:
            self.receiver.ready()

    def patience(self, limits: Limits) -> float:
        """Seconds that the cloud may do nothing: neither take of the request nor give of the answer."""
        if self.answered:
            return limits.between_bytes
        if self.request.first_byte is not None:
            return self.request.first_byte
        # An image is answered when its store has it, long after its last byte was sent.
        request = self.request
        upload = request.endpoint.service_type == "image" and not isinstance(request.framing, NoBody)
        return limits.image_first_byte if upload and self.sent_whole else limits.first_byte

    def out_of_patience(self, limits: Limits) -> UpstreamError:
        """What to say then."""
        did = (
            "stopped answering"
            if self.answered
            else "did not answer"
            if self.sent_whole
            else "stopped reading"
        )
        return AnswerTimedOut(f"{self.place} {did} for {self.patience(limits):g} s.")
