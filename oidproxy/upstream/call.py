"""The terms between one call to a cloud and whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from oidproxy.quickly import quickly

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Endpoint
    from oidproxy.errors import UpstreamError
    from oidproxy.http.head import Framing, ResponseHead


@quickly
@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent: a complete head, and how its body will be delimited."""

    endpoint: Endpoint
    method: str
    head: bytes = field(repr=False)
    """Request line, fields (Host and framing included) and the empty line."""
    framing: Framing
    from_service: bool = False
    """A call that a service makes; it may take the pool's reserved connections."""
    first_byte: float | None = None
    """Seconds that the answer may take after the request's end; None means the default of the limits."""


class Receiver(Protocol):
    """Who gets the answer. Called on the event loop; never blocks, never raises.

    Order: any number of `informational`, then `answer`, any number of `data`, `end`. `failure` may come
    instead of any of them and is then the last. After `end` or `failure` nothing comes.
    """

    def ready(self) -> None:
        """The head was sent on a connection: the body may follow. Also sent to resume after `hold`."""

    def hold(self) -> None:
        """The cloud reads slower than the client sends: send no more until `ready`."""

    def informational(self, head: ResponseHead) -> None:
        """A 1xx other than 101."""

    def answer(self, head: ResponseHead) -> None:
        """The head of the final answer."""

    def data(self, data: bytes) -> None:
        """Body bytes, without chunk framing."""

    def end(self) -> None:
        """The answer is complete. If the request's body is not, it must be sent no further."""

    def failure(self, error: UpstreamError) -> None:
        """No (complete) answer will come."""


class Call(Protocol):
    """The asker's handle on one call."""

    ending: bool
    """All of the answer came: `end` follows what is handed over now, before anything else happens."""
    sent: bool
    """Some of the request was handed to a connection."""

    def send(self, data: bytes) -> None:
        """Body bytes, without chunk framing; only between `ready` and `hold` (a last piece may follow)."""

    def finish(self) -> None:
        """The body is complete."""

    def pause(self) -> None:
        """Read no more of the answer for now."""

    def resume(self) -> None:
        """Go on reading."""

    def cancel(self) -> None:
        """The asker is gone: the connection is closed and not used again; the receiver hears nothing more."""


class Express(Protocol):
    """Who has a connection for one request without a body, and for its whole answer: no call is made of it.

    As soon as anything but the usual happens, `unfold` makes the call that there would have been.
    """

    def came(self, data: bytes) -> None:
        """Bytes of the answer, heads and all."""

    def unfold(self) -> object:
        """Go on as a call: `Pool.take_up` is called before this returns."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A small answer, read whole."""

    head: ResponseHead
    body: bytes = field(repr=False)
