"""What a Nova knows: servers, flavors, keypairs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from oidproxy.sim.faults import ApiError
from oidproxy.sim.table import Table

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Document
    from oidproxy.sim.nova.server import Server
    from oidproxy.sim.sources import Sources


class Nova:
    """The state of one Nova."""

    def __init__(self, sources: Sources, host: str) -> None:
        self.sources = sources
        self.host = host
        """The name of its one compute host."""
        self.provider_id = sources.uuid()
        """That host in Placement."""
        self.flavors = Table("Flavor %s could not be found.")
        self.keypairs = Table("Keypair %s not found for user")
        self._servers: dict[str, Server] = {}

    def servers(self) -> list[Server]:
        """Newest first, as the API lists them by default."""
        return list(reversed(self._servers.values()))

    def add(self, server: Server) -> Server:
        """A new server."""
        self._servers[server.id] = server
        return server

    def get(self, identity: str) -> Server:
        """A server; 404 when there is none (any more)."""
        try:
            return self._servers[identity]
        except KeyError:
            raise ApiError(404, f"Instance {identity} could not be found.") from None

    def seen(self, caller: Caller, identity: str) -> Server:
        """A server of the caller's project, or any for administrators; else 404."""
        server = self.get(identity)
        if server.project_id != caller.project_id and not (caller.is_admin or caller.is_service):
            raise ApiError(404, f"Instance {identity} could not be found.")
        return server

    def move(self, identity: str, event: str, **values: Any) -> Server:
        """Let an event happen to a server."""
        return self.add(self.get(identity).after(event, self.sources.now(), **values))

    def change(self, identity: str, **values: Any) -> Server:
        """Replace some attributes."""
        return self.add(replace(self.get(identity), updated=self.sources.now(), **values))

    def remove(self, identity: str) -> None:
        """Forget a server."""
        self._servers.pop(identity, None)

    def has(self, identity: str) -> bool:
        """Whether a server is there, on its way out or not."""
        return identity in self._servers

    def is_wanted(self, identity: str) -> bool:
        """Whether a server is there and not on its way out: what runs in the background asks before each
        step."""
        server = self._servers.get(identity)
        return server is not None and server.task_state != "deleting"

    def flavor(self, reference: str) -> Document:
        """A flavor by id or, as in requests, by the last part of its URL."""
        return self.flavors.get(reference.rsplit("/", 1)[-1])

    def keypair(self, user_id: str, name: str) -> Document:
        """A user's keypair."""
        found = self.keypairs.find(user_id=user_id, name=name)
        if found is None:
            raise ApiError(404, f"Keypair {name} not found for user {user_id}")
        return found
