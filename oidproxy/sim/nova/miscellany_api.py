"""The rest of Nova's API that clients look at: versions, limits, quotas, services, hypervisors, zones,
events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, json_response
from oidproxy.sim.nova import views
from oidproxy.sim.routes import Exchange, Handler, Route
from oidproxy.sim.steps import Procedure, Spawn
from oidproxy.sim.timestamps import micro

if TYPE_CHECKING:
    from oidproxy.sim.nova.compute import Compute
    from oidproxy.sim.nova.model import Nova

QUOTA = {
    "cores": -1, "fixed_ips": -1, "floating_ips": -1, "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255, "injected_files": 5, "instances": -1, "key_pairs": 100,
    "metadata_items": 128, "ram": -1, "security_group_rules": -1, "security_groups": -1,
    "server_group_members": 10, "server_groups": 10,
}  # fmt: skip


class MiscellanyApi:
    """Handlers that show how things are, and the one that other services report to."""

    def __init__(self, nova: Nova, compute: Compute) -> None:
        self._nova = nova
        self._compute = compute

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("GET", "/", self.versions, open=True),
            Route("GET", "/v2.1", self.version, open=True),
            Route("GET", "/v2.1/extensions", self.extensions),
            Route("GET", "/v2.1/limits", self.limits),
            Route("GET", "/v2.1/os-quota-sets/{project}", self.quota),
            Route("GET", "/v2.1/os-quota-sets/{project}/detail", self.quota_detail),
            Route("GET", "/v2.1/os-availability-zone", self.zones),
            Route("GET", "/v2.1/os-availability-zone/detail", self.zones),
            Route("GET", "/v2.1/os-server-groups", self.server_groups),
            Route("GET", "/v2.1/os-aggregates", self._for_admins(self.aggregates)),
            Route("GET", "/v2.1/os-services", self._for_admins(self.services)),
            Route("GET", "/v2.1/os-hypervisors", self._for_admins(self.hypervisors)),
            Route("GET", "/v2.1/os-hypervisors/detail", self._for_admins(self.hypervisors)),
            Route("POST", "/v2.1/os-server-external-events", self.events),
        )

    @staticmethod
    def _for_admins(handler: Handler) -> Handler:
        def guarded(exchange: Exchange) -> Response | Procedure[Response]:
            if not exchange.caller.is_admin:
                raise ApiError(403, f"Policy doesn't allow {exchange.request.path} to be performed.")
            return handler(exchange)

        return guarded

    def versions(self, exchange: Exchange) -> Response:
        """Both versions."""
        return json_response(200, {"versions": views.versions(exchange.request)})

    def version(self, exchange: Exchange) -> Response:
        """v2.1."""
        return json_response(200, {"version": views.version_detail(exchange.request)})

    def extensions(self, _exchange: Exchange) -> Response:
        """None that are worth a name."""
        return json_response(200, {"extensions": []})

    def limits(self, exchange: Exchange) -> Response:
        """A project's limits and what it uses."""
        own = [one for one in self._nova.servers() if one.project_id == exchange.caller.project_id]
        absolute = {
            "maxServerMeta": 128, "maxTotalInstances": -1, "maxTotalCores": -1, "maxTotalRAMSize": -1,
            "maxTotalKeypairs": 100, "maxServerGroups": 10, "maxServerGroupMembers": 10,
            "totalServerGroupsUsed": 0,
            "totalInstancesUsed": len(own),
            "totalCoresUsed": sum(one.flavor["vcpus"] for one in own),
            "totalRAMUsed": sum(one.flavor["ram"] for one in own),
        }  # fmt: skip
        return json_response(200, {"limits": {"rate": [], "absolute": absolute}})

    def quota(self, exchange: Exchange) -> Response:
        """A project's quota."""
        return json_response(200, {"quota_set": {"id": exchange.params["project"], **QUOTA}})

    def quota_detail(self, exchange: Exchange) -> Response:
        """A project's quota with what is used of it."""
        rows = {name: {"in_use": 0, "limit": limit, "reserved": 0} for name, limit in QUOTA.items()}
        return json_response(200, {"quota_set": {"id": exchange.params["project"], **rows}})

    def zones(self, _exchange: Exchange) -> Response:
        """One zone."""
        row = {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}
        return json_response(200, {"availabilityZoneInfo": [row]})

    def server_groups(self, _exchange: Exchange) -> Response:
        """None."""
        return json_response(200, {"server_groups": []})

    def aggregates(self, _exchange: Exchange) -> Response:
        """None."""
        return json_response(200, {"aggregates": []})

    def services(self, _exchange: Exchange) -> Response:
        """Its three processes, all up."""
        now = micro(self._nova.sources.now())
        rows = [
            {
                "id": f"{place:08d}-0000-4000-8000-000000000000",
                "binary": binary,
                "host": self._nova.host,
                "zone": "nova" if binary == "nova-compute" else "internal",
                "status": "enabled",
                "state": "up",
                "updated_at": now,
                "disabled_reason": None,
                "forced_down": False,
            }
            for place, binary in enumerate(("nova-conductor", "nova-scheduler", "nova-compute"), 1)
        ]
        return json_response(200, {"services": rows})

    def hypervisors(self, exchange: Exchange) -> Response:
        """Its one host."""
        row: Document = {
            "id": self._nova.provider_id if exchange.version >= (2, 53) else 1,
            "hypervisor_hostname": self._nova.host,
            "state": "up",
            "status": "enabled",
        }
        if exchange.request.path.endswith("detail"):
            row |= {
                "hypervisor_type": "fake",
                "hypervisor_version": 1000,
                "host_ip": "127.0.0.1",
                "servers": [],
            }
        return json_response(200, {"hypervisors": [row]})

    def events(self, exchange: Exchange) -> Procedure[Response]:
        """What Neutron and Cinder report: 200 when every server is known, 207 when some are, 404 when none
        is."""
        if not (exchange.caller.is_admin or exchange.caller.is_service):
            raise ApiError(
                403, "Policy doesn't allow os_compute_api:os-server-external-events:create to be performed."
            )
        given = yield from body.document(exchange)
        rows: list[Document] = []
        for event in given.get("events") or ():
            known = self._nova.is_wanted(str(event.get("server_uuid")))
            rows.append(
                {**event, "status": "completed" if known else "failed", "code": 200 if known else 404}
            )
            if known and event.get("name") == "network-changed":
                yield Spawn(self._compute.refresh(exchange.caller, event["server_uuid"]))
        codes = {row["code"] for row in rows}
        if codes == {404}:
            raise ApiError(404, "No instances found for any event")
        return json_response(207 if 404 in codes else 200, {"events": rows})
