"""Nova's processes as clients: which accounts each has, and the calls that they make for a user or for
themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.sim.client import Client, Sender

if TYPE_CHECKING:
    from oidproxy.sim.account import Account
    from oidproxy.sim.caller import Caller


@dataclass(frozen=True, slots=True)
class Process:
    """`nova-api`, `nova-scheduler` or `nova-compute`: sections of nova.conf as it sees them."""

    client: Client
    agent: str
    """User-Agent of its own sessions."""
    service_user: Account = field(repr=False)
    """`[service_user]`: its token goes beside every user's."""
    neutron: Account = field(repr=False)
    """`[neutron]`."""
    placement: Account = field(repr=False)
    """`[placement]`."""

    def for_user(self, user: Caller) -> Sender:
        """With the user's token and a service token."""
        return Sender(user=user, service=self.service_user, request_id=user.request_id)

    def for_ports(self, user: Caller) -> Sender:
        """Neutron as its administrator, on behalf of a user's request: bindings, provider attributes."""
        return Sender(account=self.neutron, service=self.service_user, request_id=user.request_id)

    def for_resources(self, user: Caller) -> Sender:
        """Placement, on behalf of a user's request."""
        return Sender(account=self.placement, request_id=user.request_id)


@dataclass(frozen=True, slots=True)
class Processes:
    """All of them."""

    api: Process
    scheduler: Process
    compute: Process
