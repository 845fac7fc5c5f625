"""What Neutron tells Nova, with an account of its own: that a port was plugged, changed or deleted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from oidproxy.sim.account import Account, AuthenticationError
from oidproxy.sim.catalog import EndpointNotFoundError
from oidproxy.sim.client import Client, Sender, Target
from oidproxy.sim.steps import CallFailedError, Procedure

if TYPE_CHECKING:
    from oidproxy.sim.messages import Document

LOG = logging.getLogger(__name__)


class Notifier:
    """`[nova]` of neutron.conf."""

    def __init__(self, client: Client, account: Account) -> None:
        self._client = client
        self._account = account

    def tell(self, port: Document, *names: str) -> Procedure[None]:
        """Send events about a port, one call each. A Nova that cannot be told is logged, as the real one
        does."""
        for name in names:
            event = {"name": name, "server_uuid": port["device_id"], "tag": port["id"], "status": "completed"}
            target = Target(
                "compute",
                "python-novaclient",
                "POST",
                "/os-server-external-events",
                {"events": [event]},
                (("X-OpenStack-Nova-API-Version", "2.1"), ("OpenStack-API-Version", "compute 2.1")),
            )
            try:
                yield from self._client.send(Sender(account=self._account), target)
            except (CallFailedError, AuthenticationError, EndpointNotFoundError) as error:
                LOG.warning("Nova was not told of %s: %s", name, error)
