"""A small answer read whole: a receiver that collects, for callers that await."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer, UpstreamError
from oidproxy.http.head import Length
from oidproxy.upstream.call import Whole

if TYPE_CHECKING:
    import asyncio

    from oidproxy.http.head import ResponseHead
    from oidproxy.upstream.call import Call, Request


class Gathering:
    """Implements `upstream.call.Receiver`; `result` is the answer or the error."""

    __slots__ = ("_body", "_call", "_collected", "_head", "_limit", "_ready", "_request", "_size", "result")

    def __init__(self, request: Request, body: bytes, limit: int, result: asyncio.Future[Whole]) -> None:
        self.result = result
        self._request = request
        self._body: bytes | None = body
        self._limit = limit
        self._call: Call | None = None
        self._ready = False
        self._head: ResponseHead | None = None
        self._collected: list[bytes] = []
        self._size = 0

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

    def hold(self) -> None:
        """The body is in memory anyway, and goes as one piece."""

    def informational(self, head: ResponseHead) -> None:
        """Nobody waits for it."""

    def answer(self, head: ResponseHead) -> None:
        """The head of the answer."""
        self._head = head
        if isinstance(head.framing, Length) and head.framing.size > self._limit:
            self._too_large()

    def data(self, data: bytes) -> None:
        """Body bytes."""
        self._size += len(data)
        if self._size > self._limit:
            self._too_large()
        else:
            self._collected.append(data)

    def end(self) -> None:
        """The answer is complete."""
        if self._head is not None and not self.result.done():
            self.result.set_result(Whole(self._head, b"".join(self._collected)))

    def failure(self, error: UpstreamError) -> None:
        """There will be none."""
        if not self.result.done():
            self.result.set_exception(error)

    def _send(self, call: Call) -> None:
        body, self._body = self._body, None
        if body is not None:
            call.send(body)
            call.finish()

    def _too_large(self) -> None:
        if self._call is not None:
            self._call.cancel()
        self._collected.clear()
        endpoint = self._request.endpoint
        whose = f"{endpoint.cloud}: the answer of its {endpoint.service_type} service"
        self.failure(
            BadAnswer(f"{whose} is larger than {self._limit} bytes.", cloud=endpoint.cloud, sent=True)
        )
