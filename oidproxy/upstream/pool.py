"""The connections to one service of one cloud: who gets one, what is kept, tried again, refused.

Calls of users may take all places but the reserved ones. Beside a cloud a user's call holds its place while
the service behind it calls other services through this same proxy; were those calls to wait behind users'
calls, all would wait for each other.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from oidproxy.errors import (
    AnswerTimedOut,
    ConnectionBroken,
    ConnectRefused,
    ConnectTimedOut,
    Ejected,
    Overloaded,
    TlsFailed,
    UpstreamError,
)
from oidproxy.upstream.connection import Connection
from oidproxy.upstream.ejection import Ejection
from oidproxy.upstream.exchange import Exchange
from oidproxy.upstream.places import Places
from oidproxy.upstream.resolving import is_address
from oidproxy.upstream.retries import SAFE_METHODS, RetryBudget
from oidproxy.upstream.totals import PoolStats, Totals
from oidproxy.upstream.waiting import Waiting

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from oidproxy.clouds.limits import Limits
    from oidproxy.clouds.registry import Endpoint
    from oidproxy.rewrite.stencil import AnswerStencil
    from oidproxy.upstream.call import Receiver, Request
    from oidproxy.upstream.surroundings import Surroundings
    from oidproxy.upstream.tls import Trust

_log = logging.getLogger("oidproxy.upstream")

# What says something about the endpoint as a whole (Envoy's «gateway failures» of local origin), as long as
# it had not begun to answer. Not a 502, 503 or 504 that a service answers: it costs nobody time, and a
# service answers so when another cloud's Keystone is down, whose failure must not become this cloud's. Not a
# BadAnswer either: one user's broken object must not take an endpoint away from all.
_GATEWAY_FAILURES = (ConnectRefused, ConnectTimedOut, TlsFailed, ConnectionBroken, AnswerTimedOut)


Key = tuple[str, str, str, str, int]


def key_of(endpoint: Endpoint) -> Key:
    """What calls that may share connections have in common; quicker to hash than the endpoint."""
    origin = endpoint.origin
    return endpoint.cloud, endpoint.service_type, origin.scheme, origin.host, origin.port


class Pool:
    """All calls to one origin that serves one service of one cloud (rules D5, E1-E4, E8)."""

    __slots__ = (
        "_around",
        "_connecting",
        "_connections",
        "_idle",
        "_named",
        "_places",
        "_retries",
        "_waiting",
        "_wake",
        "awake",
        "ejection",
        "endpoint",
        "key",
        "limits",
        "loop",
        "retired",
        "stencils",
        "totals",
        "trust",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        trust: Trust,
        limits: Limits,
        around: Surroundings,
        totals: Totals,
        *,
        wake: Callable[[Pool], None],
    ) -> None:
        """`wake` is told when the pool begins to have something to look after."""
        self._wake = wake
        self.endpoint = endpoint
        self.key = key_of(endpoint)
        self.trust = trust
        self.totals = totals
        self.loop = around.loop
        self.ejection = Ejection(limits)
        self.retired = False
        """No longer declared: what is under way ends, nothing is kept."""
        self.awake = False
        """Whether it is swept."""
        self.stencils: tuple[AnswerStencil, ...] = ()
        """The kinds of heads that it answered with last."""
        self._around = around
        self._named = not is_address(endpoint.origin.host)
        self._places = Places()
        self._waiting = Waiting()
        self._retries = RetryBudget(limits.retry_share)
        self._connections: dict[Connection, None] = {}
        self._idle: list[Connection] = []
        self._connecting: set[Exchange] = set()
        self.configure(limits)

    def configure(self, limits: Limits) -> None:
        """Go by these limits from now on."""
        self.limits = limits
        self.ejection.configure(limits)
        self._retries.share = limits.retry_share
        identity = self.endpoint.service_type == "identity"
        self._places.configure(limits, identity=identity, workers=self._around.workers)

    # Calls.

    def start(self, request: Request, receiver: Receiver) -> Exchange:
        """Begin a call, now or when a place is free; or tell the receiver that there will be none."""
        exchange = Exchange(request, receiver, on_answer=self.answered, on_cancel=self.cancel)
        self.totals.calls += 1
        if not self.awake:
            self._wake(self)
        if not self.ejection.untroubled and not self._admit(exchange):
            return exchange
        if self._places.free(from_service=request.from_service):
            self._grant(exchange)
        elif self._waiting.length(from_service=request.from_service) < self.limits.waiting:
            exchange.waits_since = self.loop.time()
            self._waiting.add(exchange)
        else:
            self._refuse(exchange, self._overloaded("has too many calls waiting"))
        return exchange

    def express(self) -> Connection | None:
        """A kept connection for a user's request without a body, where nothing has to be looked at first.

        Whoever gets one sends a request (`Connection.carry`), and either brings it back whole
        (`returned`), or goes on as a call (`take_up`).
        """
        places, ejection = self._places, self.ejection
        if (
            not self._idle
            or ejection.failures
            or ejection.until
            or places.busy >= places.size
            or places.users >= places.for_users
            or not self.awake
        ):
            return None
        connection = self._idle_connection()
        if connection is None:
            return None
        places.busy += 1
        places.users += 1
        totals = self.totals
        totals.calls += 1
        totals.reused += 1
        return connection

    def returned(self, connection: Connection) -> None:
        """The answer was read whole, and the connection may be used again."""
        connection.express = None
        self._keep(connection)
        self._places.give_back(from_service=False)
        if self._waiting:
            self._admit_waiting()

    def take_up(self, request: Request, receiver: Receiver, connection: Connection) -> Exchange:
        """The call of a request that was sent on a connection from `express`."""
        exchange = Exchange(request, receiver, on_answer=self.answered, on_cancel=self.cancel)
        exchange.granted = exchange.sent = True
        exchange.connection = connection
        connection.take_up(exchange)
        return exchange

    def cancel(self, exchange: Exchange) -> None:
        """The asker is gone: what it has under way is cut off at once (rule E7)."""
        self.totals.cancelled += 1
        if exchange.connecting is not None:
            exchange.connecting.cancel()
            self._connecting.discard(exchange)
        elif exchange.connection is not None:
            exchange.connection.abort()
        elif not exchange.granted:
            self._waiting.remove(exchange)
        self._leave(exchange)

    def answered(self, exchange: Exchange) -> None:
        """An answer began, whatever its status: the endpoint lives."""
        if not self.ejection.untroubled:
            self.ejection.succeeded(self.loop.time(), probe=exchange.probe)
        exchange.probe = False

    # From connections: connection.Owner.

    def completed(self, connection: Connection, exchange: Exchange, *, reusable: bool) -> None:
        """The answer is complete."""
        if reusable:
            self._keep(connection)
        self._leave(exchange)
        exchange.receiver.end()

    def broken(self, connection: Connection, exchange: Exchange, error: UpstreamError) -> None:
        """No (complete) answer will come on this connection.

        It may be that the service closed it in the moment the request was sent. Rule E1: then a request that
        changes nothing goes once more, on a new connection; any other may already have been served.
        """
        exchange.connection = None
        stale = isinstance(error, ConnectionBroken) and connection.used > 1 and connection.unanswered
        safe = exchange.request.method in SAFE_METHODS and not exchange.body_begun
        if not (stale and safe and self._try_again(exchange)):
            self._fail(exchange, error)

    def gone(self, connection: Connection) -> None:
        """A connection is closed."""
        self._connections.pop(connection, None)
        if connection in self._idle:
            self._idle.remove(connection)

    # From the sweep, reload and end of the process.

    def sweep(self, now: float, period: float) -> bool:
        """Look after the times. Whether there is anything to look after."""
        # A call that would have waited too long by the next sweep is refused in this one.
        for exchange in self._waiting.since(now - self.limits.wait + period):
            self._refuse(exchange, self._overloaded(f"had no free connection within {self.limits.wait:g} s"))
        for connection in tuple(self._connections):
            connection.sweep(now, self.limits)
        if self._named and self._connections:
            self._around.resolver.current(self.endpoint.origin.host)
        return bool(self._connections or self._connecting or self._waiting)

    def retire(self) -> None:
        """The endpoint is no longer declared, or reached differently: end what is under way, keep nothing."""
        self.retired = True
        self._close_idle()

    def close(self) -> list[asyncio.Task[None]]:
        """Cut everything off. The tasks that are still to end."""
        tasks = [exchange.connecting for exchange in self._connecting if exchange.connecting is not None]
        under_way = [one for connection in tuple(self._connections) if (one := connection.whole_exchange)]
        for exchange in [*self._waiting.everyone(), *self._connecting, *under_way]:
            if exchange.connecting is not None:
                exchange.connecting.cancel()
            self._refuse(exchange, ConnectionBroken("The proxy is stopping."))
        self._connecting.clear()
        for connection in tuple(self._connections):
            connection.abort()
        return tasks

    @property
    def closed(self) -> bool:
        """Whether no connection is left."""
        return not self._connections

    def stats(self, now: float) -> PoolStats:
        """How it looks now."""
        return PoolStats(
            self.endpoint.cloud,
            self.endpoint.service_type,
            str(self.endpoint.origin),
            self._places.busy,
            self._places.users,
            len(self._idle),
            len(self._waiting),
            self.ejection.failures,
            max(0.0, self.ejection.until - now),
            self.totals,
        )

    # Inside.

    def _admit(self, exchange: Exchange) -> bool:
        now = self.loop.time()
        seconds = self.ejection.wait(now)
        if seconds:
            self._refuse(exchange, self._ejected(seconds))
            return False
        exchange.probe = self.ejection.begin(now)
        return True

    def _grant(self, exchange: Exchange) -> None:
        exchange.granted = True
        self._places.take(from_service=exchange.request.from_service)
        connection = self._idle_connection() if self._idle else None
        if connection is None:
            self._open(exchange)
        else:
            self.totals.reused += 1
            _attach(exchange, connection)

    def _idle_connection(self) -> Connection | None:
        """The one used last, so that those not needed grow old and are closed."""
        oldest = self.loop.time() - self.limits.upstream_keep_alive
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > oldest and connection.fit():
                return connection
            connection.abort()
        return None

    def _open(self, exchange: Exchange) -> None:
        self._connecting.add(exchange)
        exchange.connecting = self.loop.create_task(self._connect(exchange))

    async def _connect(self, exchange: Exchange) -> None:
        try:
            connection = await self._around.connector.open(
                self.endpoint, self.trust, self.limits.connect, self._new_connection
            )
        except UpstreamError as error:
            self._not_connected(exchange, error)
            return
        except Exception:  # noqa: BLE001 - a bug must not leave the call without its end
            _log.exception("connecting to %s failed by a bug", self.endpoint.origin)
            self._not_connected(exchange, ConnectRefused(f"{exchange.place} cannot be connected to."))
            return
        self.totals.opened += 1
        self._connecting.discard(exchange)
        if connection.open:
            self._connections[connection] = None
            _attach(exchange, connection)
        else:
            self._not_connected(
                exchange, ConnectionBroken(f"{exchange.place} closed the connection at once.")
            )

    def _new_connection(self, address: str) -> Connection:
        return Connection(self, address, self._around.view)

    def _not_connected(self, exchange: Exchange, error: UpstreamError) -> None:
        """Nothing was sent, so rule E1 lets any method go again; but a time limit is over when it is over."""
        self._connecting.discard(exchange)
        exchange.connecting = None
        hopeful = isinstance(error, ConnectRefused | ConnectionBroken)
        if not (hopeful and self._try_again(exchange)):
            self._fail(exchange, error)

    def _try_again(self, exchange: Exchange) -> bool:
        if exchange.retried or self.retired or not self._retries.take(self._places.busy):
            return False
        exchange.retried = True
        self.totals.retried += 1
        self._close_idle()  # whatever closed one connection has likely closed them all
        self._open(exchange)
        return True

    def _keep(self, connection: Connection) -> None:
        if self.retired or not self._still_there(connection):
            connection.abort()
            return
        connection.idle_since = self.loop.time()
        self._idle.append(connection)

    def _still_there(self, connection: Connection) -> bool:
        if not self._named:
            return True
        addresses = self._around.resolver.current(self.endpoint.origin.host)
        return addresses is None or connection.address in addresses

    def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()

    def _leave(self, exchange: Exchange) -> None:
        """A call is over: give back what it holds, and let others begin."""
        exchange.over = True
        exchange.connection = exchange.connecting = None
        if exchange.probe:
            exchange.probe = False
            self.ejection.withdrawn()
        if exchange.retried:
            self._retries.give_back()
        if exchange.granted:
            exchange.granted = False
            self._places.give_back(from_service=exchange.request.from_service)
            self._admit_waiting()

    def _admit_waiting(self) -> None:
        while (following := self._waiting.next(self._places)) is not None:
            self._grant(following)

    def _refuse(self, exchange: Exchange, error: UpstreamError) -> None:
        self.totals.failed += 1
        self.totals.refused += 1
        self._leave(exchange)
        exchange.fail(error)

    def _fail(self, exchange: Exchange, error: UpstreamError) -> None:
        self.totals.failed += 1
        ejected = False
        if isinstance(error, _GATEWAY_FAILURES) and not exchange.answered:
            ejected = self.ejection.failed(self.loop.time(), probe=exchange.probe)
            exchange.probe = False
        if ejected:
            self._eject()
        self._leave(exchange)
        exchange.fail(error)

    def _eject(self) -> None:
        """Whoever waits would only find out the same, later."""
        self.totals.ejected += 1
        seconds = self.ejection.wait(self.loop.time())
        _log.warning("%s is left alone for %d s", self.endpoint.origin, seconds)
        for exchange in self._waiting.everyone():
            self._refuse(exchange, self._ejected(seconds))

    def _overloaded(self, what: str) -> Overloaded:
        fields = {"Retry-After": str(max(1, math.ceil(self.limits.wait)))}
        return Overloaded(f"{self._place} {what}.", fields=fields)

    def _ejected(self, seconds: float) -> Ejected:
        whole = max(1, math.ceil(seconds))
        message = f"{self._place} failed too often in a row and is left alone for {whole} s."
        return Ejected(message, fields={"Retry-After": str(whole)})

    @property
    def _place(self) -> str:
        return f"{self.endpoint.cloud}: its {self.endpoint.service_type} service"


def _attach(exchange: Exchange, connection: Connection) -> None:
    connection.begin(exchange)
    exchange.attach(connection)
