"""Nova as a client of Placement, with an account of its own: where a server fits, and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from oidproxy.sim.account import AuthenticationError
from oidproxy.sim.catalog import EndpointNotFoundError
from oidproxy.sim.client import Target
from oidproxy.sim.faults import ApiError
from oidproxy.sim.steps import CallFailedError, Procedure

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Answer, Document
    from oidproxy.sim.nova.process import Process
    from oidproxy.sim.nova.server import Server

VERSION = (("OpenStack-API-Version", "placement 1.36"),)


class Resources:
    """The scheduler's report client in one of Nova's processes."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def schedule(self, user: Caller, server: Server) -> Procedure[str]:
        """Claim resources for a server; the id of the provider that has them."""
        wanted = _resources(server)
        query = urlencode({
            "limit": 1000,
            "resources": ",".join(f"{name}:{amount}" for name, amount in wanted.items()),
            "root_required": "!COMPUTE_STATUS_DISABLED",
        })  # fmt: skip
        answer = yield from self._send(user, "GET", f"/allocation_candidates?{query}")
        candidates = answer.json()["allocation_requests"] if answer.ok else []
        if not candidates:
            raise ApiError(500, "No valid host was found. ")
        yield from self.look(user, server)
        chosen: Document = candidates[0]
        claim = {
            "allocations": chosen["allocations"],
            "mappings": chosen["mappings"],
            "project_id": server.project_id,
            "user_id": server.user_id,
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        }
        claimed = yield from self._send(user, "PUT", f"/allocations/{server.id}", claim)
        if not claimed.ok:
            raise ApiError(500, "No valid host was found. Unable to claim the resources of the chosen host.")
        return str(next(iter(chosen["allocations"])))

    def look(self, user: Caller, server: Server, times: int = 1) -> Procedure[None]:
        """Read what a server takes."""
        for _ in range(times):
            yield from self._send(user, "GET", f"/allocations/{server.id}")

    def look_at_provider(self, user: Caller, provider_id: str) -> Procedure[None]:
        """Read what is taken of a provider."""
        yield from self._send(user, "GET", f"/resource_providers/{provider_id}/allocations")

    def free(self, user: Caller, server: Server) -> Procedure[None]:
        """A server takes nothing any more."""
        yield from self._send(user, "DELETE", f"/allocations/{server.id}")

    def _send(self, user: Caller, method: str, path: str, document: object = None) -> Procedure[Answer]:
        process = self._process
        target = Target("placement", process.agent, method, path, document, VERSION)
        try:
            return (yield from process.client.send(process.for_resources(user), target))
        except (CallFailedError, AuthenticationError, EndpointNotFoundError) as error:
            raise ApiError(500, f"Placement cannot be reached: {error}") from error


def _resources(server: Server) -> dict[str, int]:
    flavor = server.flavor
    disk = flavor["disk"] + flavor["OS-FLV-EXT-DATA:ephemeral"]
    wanted = {"DISK_GB": disk, "MEMORY_MB": flavor["ram"], "VCPU": flavor["vcpus"]}
    return {name: amount for name, amount in wanted.items() if amount}
