"""A small answer read whole: a receiver that collects, for callers that await."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer
from oidproxy.http.head import Length
from oidproxy.upstream.call import Whole

if TYPE_CHECKING:
    import asyncio

    from oidproxy.errors import UpstreamError
    from oidproxy.http.head import ResponseHead
    from oidproxy.upstream.call import Call, Request


class Collecting:
    """Implements `upstream.call.Receiver`, but for the request's body: an answer of a bounded size, told once
    to whoever derives from this."""

    __slots__ = ("_body", "_call", "_head", "_limit", "_told", "_whose")

    def __init__(self, whose: str, limit: int) -> None:
        """`whose` names the cloud, for errors."""
        self._whose = whose
        self._limit = limit
        self._call: Call | None = None
        self._head: ResponseHead | None = None
        self._body: bytes | bytearray = b""
        self._told = False

    def collected(self, head: ResponseHead, body: bytes) -> None:
        """This is the answer."""
        raise NotImplementedError

    def failed(self, error: UpstreamError) -> None:
        """There will be none."""
        raise NotImplementedError

    def belongs_to(self, call: Call) -> None:
        """The call, which may have told of itself before it was known here."""
        self._call = call

    def hold(self) -> None:
        """There is no body to be sent, or it is in memory anyway, and goes as one piece."""

    def informational(self, head: ResponseHead) -> None:
        """Nobody waits for it."""

    def answer(self, head: ResponseHead) -> None:
        """The head of the answer."""
        self._head = head
        if isinstance(head.framing, Length) and head.framing.size > self._limit:
            self._too_large()

    def data(self, data: bytes) -> None:
        """Body bytes. Mostly it is one piece; where they are many, and be they of one byte each, they take no
        more room than the whole."""
        if len(self._body) + len(data) > self._limit:
            self._too_large()
        elif not self._body:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body) + data

    def end(self) -> None:
        """The answer is complete."""
        if self._head is not None and not self._told:
            self._told = True
            self.collected(self._head, bytes(self._body))

    def failure(self, error: UpstreamError) -> None:
        """There will be none."""
        if not self._told:
            self._told = True
            self.failed(error)

    def _too_large(self) -> None:
        if self._told:
            return
        if self._call is not None:
            self._call.cancel()
        self._body = b""
        message = f"{self._whose}: its answer is larger than {self._limit} bytes."
        self.failure(BadAnswer(message, cloud=self._whose, sent=True))


class Gathering(Collecting):
    """`result` is the answer or the error."""

    __slots__ = ("_ready", "_to_send", "result")

    def __init__(self, request: Request, body: bytes, limit: int, result: asyncio.Future[Whole]) -> None:
        super().__init__(request.endpoint.cloud, limit)
        self.result = result
        self._to_send: bytes | None = body
        self._ready = False

    def belongs_to(self, call: Call) -> None:
        """The call, which may have told of itself before it was known here."""
        self._call = call
        if self._ready:
            self._send(call)

    def ready(self) -> None:
        """The head was sent."""
        self._ready = True
        if self._call is not None:
            self._send(self._call)

    def collected(self, head: ResponseHead, body: bytes) -> None:
        """This is the answer."""
        if not self.result.done():
            self.result.set_result(Whole(head, body))

    def failed(self, error: UpstreamError) -> None:
        """There will be none."""
        if not self.result.done():
            self.result.set_exception(error)

    def _send(self, call: Call) -> None:
        body, self._to_send = self._to_send, None
        if body is not None:
            call.send(body)
            call.finish()
