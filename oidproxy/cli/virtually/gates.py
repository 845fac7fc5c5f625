"""Proxies in virtual time: `proxy.serving.Serving` and all that belongs to it, put together as a worker does.

What differs from `proxy.worker` is what surrounds it: the loop, the network, an in-memory state, and a ledger
instead of an access log.
"""

from __future__ import annotations

import asyncio
from array import array
from typing import TYPE_CHECKING

from oidproxy.identity.service import Identity
from oidproxy.manyclouds.finding.find import Finding
from oidproxy.manyclouds.locations import Locations
from oidproxy.manyclouds.many import Many
from oidproxy.manyclouds.records import Records
from oidproxy.manyclouds.replicating.groups import Groups
from oidproxy.manyclouds.replicating.replication import Replication
from oidproxy.manyclouds.staging import Staging
from oidproxy.manyclouds.uniting import Uniting
from oidproxy.proxy.connection import Connection
from oidproxy.proxy.listening import spots
from oidproxy.proxy.serving import Serving
from oidproxy.telemetry.access import AccessLog
from oidproxy.telemetry.counters import Counters
from oidproxy.trace.virtual.standpoint import Standpoint
from oidproxy.trace.virtual.store import MemoryIndex, MemoryStore
from oidproxy.upstream.pools import Upstreams

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.clouds.registry import Listener
    from oidproxy.routing.decision import Snapshot
    from oidproxy.telemetry.access import AccessLine
    from oidproxy.trace.virtual.ledger import Ledger
    from oidproxy.trace.virtual.machine import Machine
    from oidproxy.trace.virtual.network import Network

SWEEP_SECONDS = 5.0
"""How exact the client-side timeouts are; virtual clients never come near them."""

PSEUDONYM = "oidproxy-virtual"


class Notes(AccessLog):
    """Instead of an access log: errors of the proxy's own are noted with the request that they ended."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(None)
        self._ledger = ledger

    def write(self, line: AccessLine) -> None:
        """Note what only the proxy knows."""
        if line.error is not None:
            entry = self._ledger.by_id(line.request_id)
            if entry is not None:
                entry.error = line.error
                entry.cloud = line.cloud or ""


class Gate:
    """One proxy, made when somebody first connects to it."""

    def __init__(
        self,
        snapshot: Snapshot,
        network: Network,
        machine: Machine,
        ledger: Ledger,
        clock: Callable[[], float],
    ) -> None:
        self._snapshot = snapshot
        self._network = network
        self._machine = machine
        self._ledger = ledger
        self._clock = clock
        self._serving: Serving | None = None
        self._replication: Replication
        self._index: MemoryIndex
        self._locations: Locations
        self._sweeping: asyncio.Task[None] | None = None
        self._journal: asyncio.Task[None] | None = None

    def listen(self, listener: Listener) -> None:
        """Take connections at every port of a listener."""
        for spot in spots(listener):
            host, port = spot.host, spot.port
            self._network.listen_at(self._machine, host, port, lambda h=host, p=port: self._taken(h, p))  # type: ignore[misc]

    async def close(self) -> None:
        """End it."""
        serving = self._serving
        if serving is None:
            return
        for task in (self._sweeping, self._journal):
            if task is not None:
                task.cancel()
        for connection in tuple(serving.connections):
            connection.abort()
        await serving.staging.close()
        await self._replication.close()
        await serving.upstreams.close()
        await self._locations.close()

    def _taken(self, host: str, port: int) -> Connection:
        if self._serving is None:
            self._serving = self._made()
        if self._sweeping is None:
            self._sweeping = self._network.loop.create_task(self._sweep(self._serving))
        return Connection(self._serving, host, port)

    def _made(self) -> Serving:
        clock, snapshot = self._clock, self._snapshot
        store = MemoryStore(clock, durable=self._begin_journal)
        upstreams = Upstreams(snapshot.registry, loop=Standpoint(self._network, self._machine).as_loop)
        identity = Identity(
            fetch=upstreams.fetch, clock=clock, snapshot=snapshot, store=store, pseudonym=PSEUDONYM
        )
        self._index = MemoryIndex(snapshot.registry.limits.index)
        self._locations = locations = Locations(self._index)
        self._replication = Replication(
            store=store,
            upstreams=upstreams,
            identity=identity,
            snapshot=lambda: snapshot,
            pseudonym=PSEUDONYM,
            clock=clock,
            learn=locations.learn,
        )
        finding = Finding(locations=locations, clock=self._network.loop.time, groups=Groups(store, clock))
        return Serving(
            snapshot,
            upstreams=upstreams,
            identity=identity,
            staging=Staging(
                upstreams=upstreams, identity=identity, store=store, clock=clock, pseudonym=PSEUDONYM
            ),
            access=Notes(self._ledger),
            counters=Counters(),
            pseudonym=PSEUDONYM,
            many=Many(
                Records(store, clock),
                unite=Uniting(store=store, locations=locations, clock=clock),
                find=finding,
                made=finding.made,
                replicate=self._replication.carry_out,
            ),
            replication=self._replication,
            clock=clock,
        )

    async def _sweep(self, serving: Serving) -> None:
        """As a worker does, while somebody is connected."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            serving.sweep()
            self._hand_over()
            if not serving.connections:
                self._sweeping = None
                return

    def _hand_over(self) -> None:
        """What was learned, to the index."""
        found = {cloud: array("q", keys) for cloud, keys in self._locations.take().items()}
        if found:
            self._index.learn(found)

    def _begin_journal(self) -> None:
        """Something was begun that may have to be finished later."""
        if self._journal is None:
            self._journal = self._network.loop.create_task(self._replication.run())
