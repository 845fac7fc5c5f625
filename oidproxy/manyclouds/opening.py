"""An answer whose head is awaited before it is known who gets it, and the rest then as it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.errors import UpstreamError
    from oidproxy.http.head import ResponseHead
    from oidproxy.upstream.call import Call, Receiver


class Opening:
    """Implements `upstream.call.Receiver`: holds an answer back until it is handed over."""

    __slots__ = (
        "_begun_sending",
        "_call",
        "_data",
        "_ended",
        "_ready",
        "_receiver",
        "begun",
        "body",
        "error",
        "head",
    )

    def __init__(self, body: bytes) -> None:
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when there is a head or an error."""
        self.head: ResponseHead | None = None
        self.error: UpstreamError | None = None
        self.body = body
        """The request's, which is sent when there is a connection."""
        self._call: Call | None = None
        self._begun_sending = False
        self._ready = False
        self._data: list[bytes] = []
        self._ended = False
        self._receiver: Receiver | None = None

    def belongs_to(self, call: Call) -> None:
        """The call, which may have told of itself before it was known here."""
        self._call = call
        if self._ready:
            self._send(call)

    @property
    def sent(self) -> bool:
        """Whether some of the request was handed to a connection."""
        return self._call is not None and self._call.sent

    def drop(self) -> None:
        """Nobody wants it."""
        if self._call is not None:
            self._call.cancel()

    def hand_over(self, receiver: Receiver) -> Call | None:
        """Let somebody else have the answer, from its body on; the call, if it is still under way.

        What came already is given at once; the caller has dealt with the head.
        """
        self._receiver = receiver
        data, self._data = self._data, []
        for piece in data:
            receiver.data(piece)
        if self.error is not None:
            receiver.failure(self.error)
        elif self._ended:
            receiver.end()
        elif self._call is not None:
            self._call.resume()
            return self._call
        return None

    # From the call: upstream.call.Receiver.

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
        """The head of the answer. Of the body no more is read than is on its way."""
        self.head = head
        self._begin()
        if self._call is not None:
            self._call.pause()

    def data(self, data: bytes) -> None:
        """Body bytes."""
        if self._receiver is not None:
            self._receiver.data(data)
            return
        self._data.append(data)

    def end(self) -> None:
        """The answer is complete."""
        self._ended = True
        if self._receiver is not None:
            self._receiver.end()

    def failure(self, error: UpstreamError) -> None:
        """There will be no (complete) answer."""
        self.error = error
        self._begin()
        if self._receiver is not None:
            self._receiver.failure(error)

    def _begin(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)

    def _send(self, call: Call) -> None:
        if self._begun_sending:
            return
        self._begun_sending = True
        call.send(self.body)
        call.finish()
