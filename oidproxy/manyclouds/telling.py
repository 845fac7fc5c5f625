"""A cloud's whole answer without a task that awaits it: of a thousand clouds that is a third of the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer
from oidproxy.http.head import Length
from oidproxy.manyclouds.parts import Answered, Part, Unanswered

if TYPE_CHECKING:
    from oidproxy.errors import UpstreamError
    from oidproxy.http.head import ResponseHead
    from oidproxy.manyclouds.sending import Identities, Ready
    from oidproxy.routing.decision import Leg
    from oidproxy.upstream.call import Call

Told = Callable[[Part], None]


class Telling:
    """Implements `upstream.call.Receiver` for a request without body; tells its part once."""

    __slots__ = ("_call", "_head", "_identity", "_leg", "_limit", "_pieces", "_ready", "_size", "_told")

    def __init__(self, leg: Leg, ready: Ready, limit: int, told: Told, identity: Identities) -> None:
        self._leg = leg
        self._ready = ready
        self._limit = limit
        self._told: Told | None = told
        self._identity = identity
        self._call: Call | None = None
        self._head: ResponseHead | None = None
        self._pieces: list[bytes] = []
        self._size = 0

    def belongs_to(self, call: Call) -> None:
        """The call, which may have told of itself before it was known here."""
        self._call = call

    def ready(self) -> None:
        """There is no body to be sent."""

    def hold(self) -> None:
        """There is no body to be sent."""

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
            self._pieces.append(data)

    def end(self) -> None:
        """The answer is complete."""
        head, ready = self._head, self._ready
        if head is None:  # pragma: no cover - a call tells of the head before the end
            return
        if head.status == 401:
            self._identity.unaccepted(ready.forward, ready.outgoing)
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._tell(Answered(self._leg, head, body, ready.forward.route, ready.ids))

    def failure(self, error: UpstreamError) -> None:
        """There will be none."""
        self._tell(Unanswered.of(self._leg, error))

    def _tell(self, part: Part) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(part)

    def _too_large(self) -> None:
        if self._told is None:
            return
        if self._call is not None:
            self._call.cancel()
        self._pieces.clear()
        cloud = self._leg.one.cloud
        message = f"{cloud}: its answer is larger than {self._limit} bytes."
        self.failure(BadAnswer(message, cloud=cloud, sent=True))
