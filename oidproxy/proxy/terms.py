"""The terms between an exchange and its connection, the express lane, and connections and their worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from oidproxy.proxy.way import LinkMaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.http.head import RequestHead
    from oidproxy.identity.service import Identity, Outgoing
    from oidproxy.manyclouds.many import Many
    from oidproxy.manyclouds.replicating.replication import Replication
    from oidproxy.proxy.hedging import Hedges
    from oidproxy.proxy.recorder import Recorder
    from oidproxy.proxy.spread import Ways
    from oidproxy.proxy.way import Tails, Way
    from oidproxy.rewrite.stencil import RequestStencil
    from oidproxy.routing.decision import Arrival, FanOut, Forward, Snapshot
    from oidproxy.telemetry.access import AccessLog
    from oidproxy.telemetry.counters import Counters
    from oidproxy.upstream.connection import Connection
    from oidproxy.upstream.pools import Upstreams


class Client(Protocol):
    """What an exchange needs of the connection that it serves."""

    peer: str
    """The client's address, without port."""

    spot: tuple[str, int]
    """Where the client connected to."""

    stencils: tuple[RequestStencil, ...]
    """The kinds of heads that it sent last."""

    @property
    def address(self) -> str:
        """Where the client connected to: `host:port`."""
        ...

    @property
    def body_unread(self) -> bool:
        """Whether some of the current request's body was not received yet."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes of an answer."""
        ...

    def hold(self) -> None:
        """Read no more of the body for now."""
        ...

    def release(self) -> None:
        """Read on."""
        ...

    def ask_to_continue(self) -> None:
        """Let a client that expects 100 send its body."""
        ...

    def done(self, *, keep_alive: bool) -> None:
        """The answer is complete: on to the next request, or close."""
        ...

    def abort(self) -> None:
        """Close at once, so that the client can tell that its answer is cut short."""
        ...


class Shared(LinkMaps, Protocol):
    """What the express lane needs of its worker."""

    snapshot: Snapshot
    identity: Identity
    upstreams: Upstreams
    access: AccessLog
    counters: Counters
    replication: Replication | None
    hedges: Hedges
    many: Many
    recorder: Recorder | None
    pseudonym: str
    draining: bool

    clock: Callable[[], float]
    """Gives seconds since the epoch."""

    def request_id(self) -> str:
        """A new id of a request."""
        ...


class Done(Protocol):
    """A request that took the whole way, as much of it as the express lane learns from."""

    connection: Client
    request: RequestHead
    arrival: Arrival
    snapshot: Snapshot
    sent: tuple[Forward, Outgoing] | None
    found_among: FanOut | None
    """Where it was asked of the one of several clouds that is known to hold it."""


class Folded(Protocol):
    """A request on the express lane, as much of it as the exchange needs that it may become."""

    began: float
    """By `time.perf_counter`; likewise, in nanoseconds since the epoch, `epoch`."""
    epoch: int
    data: bytes
    """The request's head as it came."""
    sent: bytes
    """… and as it went out."""
    token: bytes
    """What went out as the user's token."""
    request_id: bytes
    way: Way
    upstream: Connection
    got: bytes
    """What came of the answer."""
    is_late: bool
    """Others may be asked meanwhile, if there are any."""


class Rider(Client, Protocol):
    """What the express lane needs of a client's connection."""

    @property
    def serving(self) -> Shared:
        """Its worker."""
        ...

    ways: Ways
    tails: Tails

    def passed(self, answer: bytes) -> None:
        """The answer of the request on the lane, whole: send it, and on to the next."""
        ...

    def unfold(self, folded: Folded) -> None:
        """The request leaves the lane: go on with an exchange of it."""
        ...


class Swept(Protocol):
    """What a worker needs of each of its connections."""

    def sweep(self, now: float) -> None:
        """Look after the times; `now` is the loop's, in seconds."""
        ...

    def drain(self) -> None:
        """Close if nothing is under way; what is under way closes when it ends."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...
