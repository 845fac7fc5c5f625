"""The rest of Neutron's API: versions, extensions, quotas, routers' interfaces, agents, a ready-made
network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, json_response
from oidproxy.sim.neutron import views
from oidproxy.sim.neutron.kinds import EXTENSIONS, KINDS, PORT, SUBNET
from oidproxy.sim.neutron.policy import privileged, refused
from oidproxy.sim.routes import Exchange, Route

if TYPE_CHECKING:
    from oidproxy.sim.neutron.model import Neutron
    from oidproxy.sim.steps import Procedure

QUOTA = {
    "network": 100, "subnet": 100, "subnetpool": -1, "port": 5000, "router": 10, "floatingip": 50,
    "security_group": 10, "security_group_rule": 100, "rbac_policy": 10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MiscellanyApi:
    """Versions, extensions, quotas, routers' interfaces, agents, and the project's ready-made network."""

    neutron: Neutron

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("GET", "/", self.versions, open=True),
            Route("GET", "/v2.0", self.resources),
            Route("GET", "/v2.0/extensions", self.extensions),
            Route("GET", "/v2.0/extensions/{alias}", self.extension),
            Route("GET", "/v2.0/quotas/{project}", self.quota),
            Route("GET", "/v2.0/quotas/{project}/default", self.quota),
            Route("GET", "/v2.0/quotas/{project}/details", self.quota_details),
            Route("GET", "/v2.0/agents", self.agents),
            Route("GET", "/v2.0/availability_zones", self.zones),
            Route("GET", "/v2.0/floatingips", self.floating_ips),
            Route("GET", "/v2.0/auto-allocated-topology/{project}", self.topology),
            Route("PUT", "/v2.0/routers/{id}/add_router_interface", self.attach),
            Route("PUT", "/v2.0/routers/{id}/remove_router_interface", self.detach),
        )

    def versions(self, exchange: Exchange) -> Response:
        """The version document."""
        return json_response(200, views.versions(exchange.request))

    def resources(self, exchange: Exchange) -> Response:
        """What v2.0 has."""
        base = f"{exchange.request.origin}/v2.0"
        rows = [
            {
                "name": kind.member,
                "collection": kind.collection,
                "links": [{"rel": "self", "href": f"{base}/{kind.path}"}],
            }
            for kind in KINDS
        ]
        return json_response(200, {"resources": rows})

    def extensions(self, _exchange: Exchange) -> Response:
        """Every extension."""
        return json_response(200, {"extensions": [_extension(alias, name) for alias, name in EXTENSIONS]})

    def extension(self, exchange: Exchange) -> Response:
        """One extension."""
        wanted = exchange.params["alias"]
        for alias, name in EXTENSIONS:
            if alias == wanted:
                return json_response(200, {"extension": _extension(alias, name)})
        raise ApiError(404, f"Extension with alias {wanted} does not exist", kind="ExtensionNotFound")

    def quota(self, exchange: Exchange) -> Response:
        """A project's limits: its own business, and administrators'."""
        self._require_project(exchange)
        return json_response(200, {"quota": QUOTA})

    def quota_details(self, exchange: Exchange) -> Response:
        """A project's limits and what it uses."""
        project = self._require_project(exchange)
        used = {kind.member: len(self.neutron.table(kind).where(project_id=project)) for kind in KINDS}
        details = {
            name: {"limit": limit, "used": used.get(name, 0), "reserved": 0} for name, limit in QUOTA.items()
        }
        return json_response(200, {"quota": details})

    def _require_project(self, exchange: Exchange) -> str:
        project = exchange.params["project"].removesuffix(".json")
        if project != exchange.caller.project_id and not privileged(exchange.caller):
            raise refused("get_quota")
        return project

    def agents(self, exchange: Exchange) -> Response:
        """None: nothing here moves packets."""
        if not exchange.caller.is_admin:
            raise refused("get_agent")
        return json_response(200, {"agents": []})

    def zones(self, _exchange: Exchange) -> Response:
        """One zone for networks and one for routers."""
        rows = [{"name": "nova", "resource": kind, "state": "available"} for kind in ("network", "router")]
        return json_response(200, {"availability_zones": rows})

    def floating_ips(self, _exchange: Exchange) -> Response:
        """None."""
        return json_response(200, {"floatingips": []})

    def topology(self, exchange: Exchange) -> Response:
        """A ready-made network; a dry run only says that there would be one."""
        project = exchange.params["project"]
        if project != exchange.caller.project_id and not privileged(exchange.caller):
            raise refused("get_auto_allocated_topology")
        if "dry-run" in exchange.request.parameters("fields"):
            return json_response(
                200, {"auto_allocated_topology": {"id": "dry-run=pass", "tenant_id": project}}
            )
        network = self.neutron.topology(project)
        return json_response(200, {"auto_allocated_topology": {"id": network["id"], "tenant_id": project}})

    def attach(self, exchange: Exchange) -> Procedure[Response]:
        """Add a router's interface."""
        router, subnet = yield from self._interface(exchange)
        port = self.neutron.attach(router, subnet)
        return json_response(200, self._interface_view(router, port, subnet["id"]))

    def detach(self, exchange: Exchange) -> Procedure[Response]:
        """Remove a router's interface."""
        router, subnet = yield from self._interface(exchange)
        port = self.neutron.detach(router, subnet["id"])
        return json_response(200, self._interface_view(router, port, subnet["id"]))

    def _interface(self, exchange: Exchange) -> Procedure[tuple[Document, Document]]:
        given = yield from body.document(exchange)
        neutron = self.neutron
        router = neutron.router_of(exchange.params["id"])
        if router["project_id"] != exchange.caller.project_id and not exchange.caller.is_admin:
            raise ApiError(404, f"Router {router['id']} could not be found", kind="RouterNotFound")
        subnet_id = given.get("subnet_id")
        if subnet_id is None and given.get("port_id"):
            subnet_id = neutron.table(PORT).get(given["port_id"])["fixed_ips"][0]["subnet_id"]
        if not isinstance(subnet_id, str):
            raise ApiError(400, "Either subnet_id or port_id must be specified", kind="BadRequest")
        return router, neutron.table(SUBNET).get(subnet_id)

    @staticmethod
    def _interface_view(router: Document, port: Document, subnet_id: str) -> Document:
        return {
            "id": router["id"],
            "tenant_id": router["tenant_id"],
            "port_id": port["id"],
            "network_id": port["network_id"],
            "subnet_id": subnet_id,
            "subnet_ids": [subnet_id],
        }


def _extension(alias: str, name: str) -> Document:
    updated = "2016-01-01T00:00:00-00:00"
    return {"alias": alias, "name": name, "description": name, "links": [], "updated": updated}
