"""One run in virtual time: users, proxies and clouds on one loop, until the last answer has come."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING

from oidproxy.cli.virtually.gates import Gate
from oidproxy.routing.decision import Snapshot
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.sealed import seal
from oidproxy.trace.virtual.chance import drawn_from
from oidproxy.trace.virtual.clouds import Clouds
from oidproxy.trace.virtual.driving import Door, Driver
from oidproxy.trace.virtual.ledger import Ledger
from oidproxy.trace.virtual.links import Course
from oidproxy.trace.virtual.loop import BEGIN, VirtualLoop
from oidproxy.trace.virtual.machine import Machine
from oidproxy.trace.virtual.network import Network
from oidproxy.trace.virtual.service_times import ServiceTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from oidproxy.cli.virtually.whatif import Prepared
    from oidproxy.clouds.registry import Registry
    from oidproxy.trace.line import Line
    from oidproxy.trace.results.outcome import Outcome

COLLECTED_EVERY = 20_000
"""Objects made between two looks of Python's cycle collector: there is little to find."""

GATEWAY = ""
"""Stands for the proxy in front of all clouds, where others are called by their cloud."""


class Entrances:
    """Which proxy serves whom: the one beside a user's home, else the gateway."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, str], tuple[Door, str] | None] = {}

    def door(self, home: str, service: str) -> Door | None:
        """Where requests come in; None if nowhere."""
        found = self._found(home, service)
        return None if found is None else found[0]

    def proxy(self, home: str, service: str) -> str:
        """The name of the proxy that stands there."""
        found = self._found(home, service)
        return GATEWAY if found is None else found[1]

    def _found(self, home: str, service: str) -> tuple[Door, str] | None:
        key = home, service
        if key not in self._known:
            self._known[key] = self._looked_up(home or self._registry.local, service)
        return self._known[key]

    def _looked_up(self, home: str, service: str) -> tuple[Door, str] | None:
        for listener in self._registry.listeners:
            if listener.cloud == home and service in listener.ports:
                return Door(listener.host, listener.ports[service], "", home), home
        for listener in self._registry.listeners:
            if listener.cloud is None and listener.port is not None and service:
                local = self._registry.local
                return Door(listener.host, listener.port, f"/{service}", local), GATEWAY
        return None


def run(prepared: Prepared, tell: Callable[[Outcome], None], mine: Collection[str] | None = None) -> None:
    """Replay; `tell` is told of each request as it ends. `mine` are the proxies whose requests are replayed.

    Raises TraceInvalid, OSError.
    """
    # What proxies warn of is what the run is about; it stands in the results.
    logger = logging.getLogger("oidproxy")
    before = logger.level
    logger.setLevel(logging.ERROR)
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_EVERY, *thresholds[1:])
    try:
        with drawn_from(prepared.asked.seed), asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(_run(prepared, tell, mine))
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        logger.setLevel(before)


async def _run(prepared: Prepared, tell: Callable[[Outcome], None], mine: Collection[str] | None) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)  # noqa: S101 - `run` made it
    asked, registry, far = prepared.asked, prepared.registry, prepared.distances
    network = Network(loop, lambda src, dst: Course(far.seconds(src, dst), far.bytes_a_second(src, dst)))
    ledger = Ledger()
    times = ServiceTimes(asked.seed, constant=asked.service_time)
    clouds = Clouds(registry.clouds.values(), network, ledger, times, asked.seed)
    clouds.fail(prepared.outages, asked.speed)
    gates = _gates(prepared, network, ledger)
    entrances = Entrances(registry)
    driver = Driver(
        network,
        ledger,
        doors=entrances.door,
        scope=lambda line: prepared.scopes.of(line.scope, line.service),
        schedule=prepared.schedule,
        tell=tell,
        site=lambda home: home or registry.local,
        token=lambda home, user: seal(f"replayed.{user or 'nobody'}", home or registry.local, NO_SCOPE),
    )
    driver.drive(lambda: _lines(prepared, entrances, mine))
    await driver.over
    for gate in gates:
        await gate.close()


def _gates(prepared: Prepared, network: Network, ledger: Ledger) -> list[Gate]:
    """The proxies; each is made when it is first connected to."""
    registry, loop = prepared.registry, network.loop
    snapshot = Snapshot(registry, Keyring(registry.fleet_keys), 1)
    gates: dict[str, Gate] = {}
    for listener in registry.listeners:
        name = listener.cloud or GATEWAY
        if name not in gates:
            machine = Machine(f"proxy/{name}", listener.cloud or registry.local, listener.host)
            gates[name] = Gate(snapshot, network, machine, ledger, lambda: prepared.began + loop.now - BEGIN)
        gates[name].listen(listener)
    return list(gates.values())


def _lines(prepared: Prepared, entrances: Entrances, mine: Collection[str] | None) -> Iterator[Line]:
    for line in prepared.trace.lines():
        if line.service and (
            mine is None or entrances.proxy(line.home or line.listener, line.service) in mine
        ):
            yield line
