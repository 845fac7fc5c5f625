"""All simulated clouds of a run: their machines, and who listens on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.trace.virtual.answering import Answering
from oidproxy.trace.virtual.holdings import Holdings
from oidproxy.trace.virtual.keystone import Keystone
from oidproxy.trace.virtual.loop import BEGIN
from oidproxy.trace.virtual.machine import Machine
from oidproxy.trace.virtual.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.clouds.registry import Cloud, Endpoint
    from oidproxy.trace.virtual.ledger import Ledger
    from oidproxy.trace.virtual.network import Network
    from oidproxy.trace.virtual.service_times import ServiceTimes
    from oidproxy.trace.whatif.outages import Outage

ROLES = ("member", "reader")


class Clouds:
    """Those of a registry, whose endpoints all have addresses of their own."""

    def __init__(
        self, clouds: Iterable[Cloud], network: Network, ledger: Ledger, times: ServiceTimes, seed: int
    ) -> None:
        self._network = network
        self._ledger = ledger
        self._times = times
        self._holdings = Holdings(seed)
        self._machines: dict[str, Machine] = {}
        for cloud in clouds:
            self._build(cloud)

    def fail(self, outages: Iterable[Outage], speed: float) -> None:
        """Let clouds be down when they are to be; outages are in the trace's time."""
        loop = self._network.loop
        for outage in outages:
            loop.at(BEGIN + outage.begin / speed, self._goes_down, outage)
            loop.at(BEGIN + outage.end / speed, self._comes_back, outage)

    def _goes_down(self, outage: Outage) -> None:
        self._network.fail(self._machines[outage.cloud], silent=outage.manner == "silent")

    def _comes_back(self, outage: Outage) -> None:
        self._network.mend(self._machines[outage.cloud])

    def _build(self, cloud: Cloud) -> None:
        keystone = Keystone(cloud.name, lambda _: ROLES)
        for endpoint in cloud.endpoints:
            machine = self._machines.get(cloud.name)
            if machine is None:
                machine = Machine(cloud.name, cloud.name, endpoint.origin.host)
                self._machines[cloud.name] = machine
            self._listen(machine, endpoint, keystone)

    def _listen(self, machine: Machine, endpoint: Endpoint, keystone: Keystone) -> None:
        answering = Answering(endpoint.cloud, endpoint.service_type, self._holdings, keystone)
        loop, ledger, times, root = self._network.loop, self._ledger, self._times, endpoint.root
        self._network.listen(
            machine, endpoint.origin.port, lambda: Service(loop, answering, ledger, times, root)
        )
