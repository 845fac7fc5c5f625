"""What all connections of one worker share while they serve, swapped as one when the configuration is."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import os
import time
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from oidproxy.clouds.registry import Endpoint, Listener, Registry
from oidproxy.proxy.express import Express
from oidproxy.proxy.hedging import Hedges
from oidproxy.proxy.pooled import samples
from oidproxy.proxy.recorder import Recorded
from oidproxy.rewrite.links import Links
from oidproxy.rewrite.versions import Learned
from oidproxy.routing.memory import Memory
from oidproxy.tokens.sealed import envelopes_read

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from oidproxy.identity.service import Identity
    from oidproxy.manyclouds.many import Many
    from oidproxy.manyclouds.replicating.replication import Replication
    from oidproxy.manyclouds.staging import Staging
    from oidproxy.proxy.recorder import Recorder
    from oidproxy.proxy.terms import Swept
    from oidproxy.routing.decision import Facade, Snapshot
    from oidproxy.telemetry.access import AccessLog
    from oidproxy.telemetry.counters import Counters, Samples
    from oidproxy.upstream.pools import Upstreams

LINKS_KEPT = 1024
"""Link maps kept per worker; clients choose the facade's host, so they are bounded."""

PEERS_KEPT = 1024

_log = logging.getLogger("oidproxy.proxy")

Place = tuple[Listener, str | None]
"""A listener and the service type that one of its ports stands for."""


class Serving:
    """One worker's shared parts. A request keeps the snapshot that it began with."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        upstreams: Upstreams,
        identity: Identity,
        staging: Staging,
        access: AccessLog,
        counters: Counters,
        pseudonym: str,
        many: Many,
        replication: Replication | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.snapshot = snapshot
        self.upstreams = upstreams
        self.identity = identity
        self.staging = staging
        self.many = many
        self.replication = replication
        self.access = access
        self.recorder: Recorder | None = None
        """What takes down every request that ends, while there is a recording."""
        self.recorded = Recorded()
        self.counters = counters
        self.clock = clock
        self.pseudonym = pseudonym
        self.draining = False
        self.closing = False
        """The grace of draining is over: connections close when they are idle."""
        self.connections: dict[Swept, None] = {}
        self.empty = asyncio.Event()
        """Set while there is no connection."""
        self.empty.set()
        self._places = _places(snapshot.registry)
        self._requests = itertools.count(1)
        self._request_prefix = _request_prefix()
        self._learned = Learned()
        self.links_serial = 0
        """Grows when link maps that were asked for may be others by now."""
        self.express = Express(self)
        self._links: OrderedDict[tuple[int, str, Facade], Links] = OrderedDict()
        self._trusted: OrderedDict[str, bool] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self.hedges = Hedges()

    def swap(self, snapshot: Snapshot) -> None:
        """Serve the requests to come from another snapshot."""
        snapshot.memory.count_on(self.snapshot.memory)
        self.snapshot = snapshot
        self._places = _places(snapshot.registry)
        self._learned = Learned()
        self._forget_links()
        self.express.forget()
        self._trusted.clear()
        self.identity.swap(snapshot)
        self.upstreams.swap(snapshot.registry)

    def measured(self, times: Mapping[str, int]) -> None:
        """The clouds are as far as this: what scopes mean by it may be others now, and nothing else."""
        before, trips = self.snapshot, self.snapshot.registry.rtt
        registry = replace(before.registry, rtt=trips.with_measured(times))
        if not trips.asked.ever:
            # No scope so far meant anything by distance: all that is remembered stays true.
            self.snapshot = replace(before, registry=registry)
            return
        self.snapshot = replace(before, registry=registry, memory=Memory())
        self.snapshot.memory.count_on(before.memory)
        self.express.forget()

    def admit(self, connection: Swept) -> bool:
        """Take a new connection, unless there are `limits.clients` already."""
        if len(self.connections) >= self.snapshot.registry.limits.clients:
            return False
        self.connections[connection] = None
        self.empty.clear()
        return True

    def dismiss(self, connection: Swept) -> None:
        """Forget a connection."""
        self.connections.pop(connection, None)
        if not self.connections:
            self.empty.set()

    def place(self, host: str, port: int) -> Place | None:
        """What stands at an address now; None when a reload took its listener away."""
        return self._places.get((host, port))

    def request_id(self) -> str:
        """A request id in OpenStack's form, `req-<uuid>`; unique, not secret."""
        number = next(self._requests) & 0xFFFFFFFFFFFF
        return f"{self._request_prefix}{number:012x}"

    def links(self, snapshot: Snapshot, endpoint: Endpoint, facade: Facade) -> Links:
        """The link map for answers of this cloud to clients that see this facade."""
        key = (snapshot.serial, endpoint.cloud, facade)
        found = self._links.get(key)
        if found is None:
            found = Links.of(snapshot.registry, endpoint.cloud, facade, self._learned.of(endpoint.cloud))
            self._links[key] = found
            if len(self._links) > LINKS_KEPT:
                self._links.popitem(last=False)
        return found

    def learn(self, endpoint: Endpoint, bases: Iterable[str]) -> None:
        """A version document told under which URLs a service knows itself: its links begin with them."""
        learned = self._learned.and_also(endpoint.cloud, endpoint.service_type, bases)
        if learned is not self._learned:
            self._learned = learned
            self._forget_links()

    def _forget_links(self) -> None:
        self._links.clear()
        self.links_serial += 1

    def trusts(self, peer: str) -> bool:
        """Whether this peer is one of `trusted_proxies`, whose X-Forwarded-For is carried on."""
        known = self._trusted.get(peer)
        if known is None:
            known = _within(peer, self.snapshot.registry.trusted_proxies)
            self._trusted[peer] = known
            if len(self._trusted) > PEERS_KEPT:
                self._trusted.popitem(last=False)
        return known

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what a request has to wait for; a reference is kept until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def samples(self) -> Samples:
        """The counters, and the gauges of now."""
        gauges: Samples = {"oidproxy_connections": {(): len(self.connections)}}
        pools = samples(self.upstreams.stats(), self.upstreams.totals())
        recorded = self.recorded.samples(self.recorder)
        return {**self.counters.samples(), **gauges, **pools, **self._remembered(), **recorded}

    def _remembered(self) -> Samples:
        """How often each memory had what a request asked it for, and how often not."""
        memory, express = self.snapshot.memory, self.express
        hits, misses = envelopes_read()
        # On the express lane one memory stands for all three.
        counts = {
            "scope": (memory.scopes.found + express.scoped, memory.scopes.missed),
            "route": (memory.routes.found + express.taken, memory.routes.missed),
            "envelope": (hits + express.taken, misses),
        }
        return {
            "oidproxy_cache_hits_total": {(("cache", name),): hits for name, (hits, _) in counts.items()},
            "oidproxy_cache_misses_total": {
                (("cache", name),): misses for name, (_, misses) in counts.items()
            },
        }

    def sweep(self) -> None:
        """Let every connection look after its times."""
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.connections):
            try:
                connection.sweep(now)
            except Exception:  # noqa: BLE001 - all the other connections have their times too
                _log.exception("looking after a connection failed by a bug")
                connection.abort()


def _places(registry: Registry) -> dict[tuple[str, int], Place]:
    places: dict[tuple[str, int], Place] = {}
    for listener in registry.listeners:
        if listener.port is not None:
            places[listener.host, listener.port] = listener, None
        for service_type, port in listener.ports.items():
            places[listener.host, port] = listener, service_type
    return places


def _request_prefix() -> str:
    seed = os.urandom(10).hex()
    return f"req-{seed[:8]}-{seed[8:12]}-4{seed[12:15]}-8{seed[15:18]}-"


def _within(peer: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)
