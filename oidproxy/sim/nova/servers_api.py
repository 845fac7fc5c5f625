"""Servers at Nova's API: list, show, update, delete, and what belongs to one."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.nova import views
from oidproxy.sim.nova.creation import Creation
from oidproxy.sim.nova.networks import Networks
from oidproxy.sim.paging import in_order, limit_of, next_href, page, truth
from oidproxy.sim.routes import Exchange, Route
from oidproxy.sim.steps import Procedure, Spawn

if TYPE_CHECKING:
    from oidproxy.sim.nova.compute import Compute
    from oidproxy.sim.nova.model import Nova
    from oidproxy.sim.nova.process import Process
    from oidproxy.sim.nova.server import Server

MANY = "/v2.1/servers"
ONE = "/v2.1/servers/{id}"
SORT_KEYS = {
    "created_at": "created", "updated_at": "updated", "display_name": "name", "name": "name", "uuid": "id",
    "vm_state": "vm_state", "task_state": "task_state", "launched_at": "launched", "host": "host",
}  # fmt: skip
LONGEST_PAGE = 1000


class ServersApi:
    """Handlers of `/servers`."""

    def __init__(self, nova: Nova, process: Process, compute: Compute) -> None:
        self._nova = nova
        self._compute = compute
        self._creation = Creation(nova, process, compute)
        self._networks = Networks(process)

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("POST", MANY, self._creation.create),
            Route("GET", MANY, self.list),
            Route("GET", f"{MANY}/detail", self.list_detail),
            Route("GET", ONE, self.show),
            Route("PUT", ONE, self.update),
            Route("DELETE", ONE, self.delete),
            Route("GET", f"{ONE}/ips", self.ips),
            Route("GET", f"{ONE}/metadata", self.metadata),
            Route("POST", f"{ONE}/metadata", self.set_metadata),
            Route("DELETE", f"{ONE}/metadata/{{key}}", self.delete_metadata),
            Route("GET", f"{ONE}/tags", self.tags),
            Route("GET", f"{ONE}/os-interface", self.interfaces),
            Route("GET", f"{ONE}/os-security-groups", self.security_groups),
            Route("GET", f"{ONE}/os-instance-actions", self.instance_actions),
        )

    def list(self, exchange: Exchange) -> Response:
        """Names and ids."""
        found = self._page(exchange)
        rows = [views.brief(exchange.request, server) for server in found[0]]
        return json_response(200, {"servers": rows, **_next(exchange, *found)})

    def list_detail(self, exchange: Exchange) -> Procedure[Response]:
        """With detail; Neutron is asked for the security groups of all of them at once."""
        servers, more = self._page(exchange)
        groups = yield from self._networks.groups_of(exchange.caller, list(servers))
        rows = [views.detail(exchange, server, groups.get(server.id, [])) for server in servers]
        return json_response(200, {"servers": rows, **_next(exchange, servers, more)})

    def _page(self, exchange: Exchange) -> tuple[tuple[Server, ...], bool]:
        request, caller = exchange.request, exchange.caller
        everywhere = truth(request.parameter("all_tenants") or request.parameter("all_projects") or "false")
        if everywhere and not caller.is_admin:
            raise ApiError(
                403, "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed."
            )
        seen = [one for one in self._nova.servers() if everywhere or one.project_id == caller.project_id]
        matching = [server for server in seen if _passes(server, exchange)]
        keys = [SORT_KEYS[key] for key in request.parameters("sort_key") if key in SORT_KEYS]
        directions = request.parameters("sort_dir") or ("desc",)
        order = [
            (key, directions[min(place, len(directions) - 1)] != "asc") for place, key in enumerate(keys)
        ]
        ordered = in_order(matching, order, getattr) if order else matching
        limit = limit_of(request, default=LONGEST_PAGE, maximum=LONGEST_PAGE)
        found = page(ordered, lambda server: server.id, request.parameter("marker"), limit)
        return found.items, found.more

    def show(self, exchange: Exchange) -> Procedure[Response]:
        """One server. Every look at it asks Neutron for its ports with the looker's token."""
        server = self._seen(exchange)
        groups = yield from self._networks.groups_of(exchange.caller, [server])
        document = views.detail(exchange, server, groups.get(server.id, []))
        return json_response(200, {"server": document})

    def update(self, exchange: Exchange) -> Procedure[Response]:
        """PUT: name, description, access addresses."""
        server = self._seen(exchange)
        given = yield from body.member(exchange, "server")
        changes: Document = {key: given[key] for key in ("name", "description") if key in given}
        if "accessIPv4" in given or "accessIPv6" in given:
            changes["access"] = (
                given.get("accessIPv4", server.access[0]),
                given.get("accessIPv6", server.access[1]),
            )
        changed = self._nova.change(server.id, **changes)
        return json_response(200, {"server": views.detail(exchange, changed, [])})

    def delete(self, exchange: Exchange) -> Procedure[Response]:
        """DELETE: 204 at once; the rest happens behind it."""
        server = self._seen(exchange)
        if server.task_state != "deleting":
            self._nova.change(server.id, task_state="deleting")
            yield Spawn(self._compute.destroy(exchange.caller, server.id))
        return empty()

    def ips(self, exchange: Exchange) -> Response:
        """A server's addresses."""
        return json_response(200, {"addresses": views.addresses(self._seen(exchange))})

    def metadata(self, exchange: Exchange) -> Response:
        """A server's metadata."""
        return json_response(200, {"metadata": dict(self._seen(exchange).metadata)})

    def set_metadata(self, exchange: Exchange) -> Procedure[Response]:
        """Add to a server's metadata."""
        server = self._seen(exchange)
        given = yield from body.member(exchange, "metadata")
        if not all(isinstance(value, str) for value in given.values()):
            raise ApiError(400, "Invalid input for field/attribute metadata: values must be strings.")
        changed = self._nova.change(server.id, metadata=MappingProxyType({**server.metadata, **given}))
        return json_response(200, {"metadata": dict(changed.metadata)})

    def delete_metadata(self, exchange: Exchange) -> Response:
        """Remove one item of a server's metadata."""
        server, key = self._seen(exchange), exchange.params["key"]
        if key not in server.metadata:
            raise ApiError(404, "Metadata item was not found")
        rest = {name: value for name, value in server.metadata.items() if name != key}
        self._nova.change(server.id, metadata=MappingProxyType(rest))
        return empty()

    def tags(self, exchange: Exchange) -> Response:
        """A server's tags."""
        return json_response(200, {"tags": list(self._seen(exchange).tags)})

    def interfaces(self, exchange: Exchange) -> Response:
        """A server's ports."""
        rows = [
            {
                "port_id": one.port_id,
                "net_id": one.network_id,
                "mac_addr": one.mac,
                "port_state": "ACTIVE",
                "fixed_ips": [
                    {"ip_address": address, "subnet_id": subnet}
                    for address, subnet in zip(one.addresses, one.subnets, strict=True)
                ],
            }
            for one in self._seen(exchange).interfaces
        ]
        return json_response(200, {"interfaceAttachments": rows})

    def security_groups(self, exchange: Exchange) -> Procedure[Response]:
        """A server's security groups, as Neutron knows them."""
        server = self._seen(exchange)
        groups = yield from self._networks.groups_of(exchange.caller, [server])
        rows = [{"name": name} for name in groups.get(server.id, [])]
        return json_response(200, {"security_groups": rows})

    def instance_actions(self, exchange: Exchange) -> Response:
        """What was done to a server."""
        return json_response(200, {"instanceActions": list(self._seen(exchange).actions)})

    def _seen(self, exchange: Exchange) -> Server:
        return self._nova.seen(exchange.caller, exchange.params["id"])


def _next(exchange: Exchange, servers: tuple[Server, ...], more: bool) -> Document:
    if not more:
        return {}
    request = exchange.request
    href = next_href(request, servers[-1].id)
    return {"servers_links": [{"rel": "next", "href": href}]}


def _passes(server: Server, exchange: Exchange) -> bool:
    """Nova's list filters; unknown ones are ignored, as for its users."""
    request = exchange.request
    name = request.parameter("name")
    if name and not _search(name, server.name):
        return False
    exact = {
        "status": server.status,
        "vm_state": server.vm_state,
        "image": server.image_id,
        "flavor": server.flavor["id"],
        "uuid": server.id,
        "host": server.host,
        "user_id": server.user_id,
        "project_id": server.project_id,
        "tenant_id": server.project_id,
        "key_name": server.key_name,
    }
    for key, held in exact.items():
        wanted = request.parameters(key)
        if wanted and str(held).lower() not in {value.rsplit("/", 1)[-1].lower() for value in wanted}:
            return False
    return True


def _search(pattern: str, name: str) -> bool:
    """Names are matched by a regular expression, anywhere in the name."""
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return pattern in name
