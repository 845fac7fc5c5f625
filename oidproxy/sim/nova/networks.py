"""Nova as a client of Neutron: which networks a server gets, its ports, and who may do what with them.

The user's token asks for and makes ports; Nova's own account binds them and reads what users do not see
(nova.network.neutron).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from msgspec import DecodeError, json

from oidproxy.sim.account import AuthenticationError
from oidproxy.sim.catalog import EndpointNotFoundError
from oidproxy.sim.client import Sender, Target
from oidproxy.sim.faults import ApiError
from oidproxy.sim.nova.server import Interface, Server
from oidproxy.sim.steps import CallFailedError, Procedure

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Document
    from oidproxy.sim.nova.process import Process

AGENT = "python-neutronclient"
EXTENSIONS_KEPT = 600.0
"""Seconds for which a process remembers Neutron's extensions."""

IDS_AT_ONCE = 150
"""Servers asked about in one query, so that its URL stays under Neutron's 8 KiB (nova, `_chunk_by_ids`)."""


@dataclass(frozen=True, slots=True)
class Requested:
    """One network that a request names: by id, or by a port that is there already."""

    network_id: str = ""
    port_id: str = ""
    fixed_ip: str = ""


Wanted = tuple[Requested, ...] | str
"""What a request says of networks: `auto`, `none`, or which."""


class Networks:
    """neutronclient in one of Nova's processes."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._extensions_until = 0.0

    def validate(self, user: Caller, wanted: Wanted, count: int, now: float) -> Procedure[Wanted]:
        """Before a server is made: are the networks there, and is there quota for the ports? Returns what is
        meant."""
        if wanted == "none":
            return wanted
        meant = yield from self._meant(user, wanted)
        ports = sum(1 for one in meant if not one.port_id) if not isinstance(meant, str) else 1
        yield from self._check_quota(user, ports * count)
        yield from self._learn_extensions(self._process.for_ports(user), now)
        for one in meant if not isinstance(meant, str) else ():
            if one.network_id:
                yield from self._provider_of(self._process.for_ports(user), one.network_id)
        return meant

    def _meant(self, user: Caller, wanted: Wanted) -> Procedure[Wanted]:
        if isinstance(wanted, str):
            return (yield from self._available(user))
        found: list[Requested] = []
        networks = [one.network_id for one in wanted if not one.port_id]
        if networks:
            yield from self._require_networks(user, networks)
        for one in wanted:
            if one.port_id:
                port = yield from self._get(
                    self._process.for_user(user), f"/v2.0/ports/{one.port_id}", "port"
                )
                if port["device_id"]:
                    raise ApiError(409, f"Port {one.port_id} is still in use.")
                found.append(Requested(port["network_id"], one.port_id))
            else:
                found.append(one)
        return tuple(found)

    def _available(self, user: Caller) -> Procedure[Wanted]:
        """`auto`: the one network that the project may use, or one made for it."""
        sender = self._process.for_user(user)
        own = {"tenant_id": user.project_id, "shared": "False", "admin_state_up": "True"}
        networks = yield from self._list(sender, "networks", own)
        networks += yield from self._list(sender, "networks", {"shared": "True", "admin_state_up": "True"})
        if len(networks) > 1:
            raise ApiError(409, "Multiple possible networks found, use a Network ID to be more specific.")
        if networks:
            return (Requested(networks[0]["id"]),)
        path = f"/v2.0/auto-allocated-topology/{user.project_id}?fields=dry-run"
        yield from self._get(sender, path, "auto_allocated_topology")
        return "auto"

    def _require_networks(self, user: Caller, identities: list[str]) -> Procedure[list[Document]]:
        pairs = tuple(("id", identity) for identity in dict.fromkeys(identities))
        networks = yield from self._list(self._process.for_user(user), "networks", pairs)
        known = {network["id"]: network for network in networks}
        for identity in identities:
            if identity not in known:
                raise ApiError(400, f"Network {identity} could not be found.")
        return [known[identity] for identity in identities]

    def _check_quota(self, user: Caller, wanted: int) -> Procedure[None]:
        sender = self._process.for_user(user)
        quota = yield from self._get(sender, f"/v2.0/quotas/{user.project_id}", "quota")
        ports = yield from self._list(sender, "ports", {"tenant_id": user.project_id, "fields": "id"})
        if 0 <= quota["port"] < len(ports) + wanted:
            raise ApiError(403, "Maximum number of ports exceeded")

    def _learn_extensions(self, sender: Sender, now: float) -> Procedure[None]:
        if now < self._extensions_until:
            return
        yield from self._list(sender, "extensions", {})
        self._extensions_until = now + EXTENSIONS_KEPT

    def _provider_of(self, sender: Sender, network_id: str) -> Procedure[None]:
        """What kind of network it is: only Nova's own account sees that."""
        path = f"/v2.0/networks/{network_id}"
        yield from self._get(sender, f"{path}?fields=segments", "network")
        names = urlencode([("fields", "provider:physical_network"), ("fields", "provider:network_type")])
        yield from self._get(sender, f"{path}?{names}", "network")

    def allocate(
        self, user: Caller, server: Server, wanted: Wanted, now: float
    ) -> Procedure[tuple[Interface, ...]]:
        """Make (or take) and bind a server's ports; those made are deleted again when one of them fails."""
        if wanted == "none":
            return ()
        if isinstance(wanted, str):
            path = f"/v2.0/auto-allocated-topology/{user.project_id}"
            made = yield from self._get(self._process.for_user(user), path, "auto_allocated_topology")
            wanted = (Requested(made["id"]),)
        networks = yield from self._require_networks(user, [one.network_id for one in wanted])
        ports: list[Interface] = []
        try:
            for one, network in zip(wanted, networks, strict=True):
                ports.append((yield from self._plug(user, server, one, network, now)))
        except (ApiError, CallFailedError):
            yield from self.release(user, tuple(ports))
            raise
        return tuple(ports)

    def _plug(
        self, user: Caller, server: Server, one: Requested, network: Document, now: float
    ) -> Procedure[Interface]:
        sender = self._process.for_user(user)
        port_id = one.port_id or (yield from self._create_port(user, server, one))
        yield from self._learn_extensions(sender, now)
        zone = server.pinned_zone or "nova"
        values = {"device_id": server.id, "device_owner": f"compute:{zone}", "binding:host_id": server.host}
        target = self._target("PUT", f"/v2.0/ports/{port_id}", {"port": values})
        port = yield from self._send(self._process.for_ports(user), target, "port")
        return Interface(
            port_id,
            network["id"],
            network["name"],
            port["mac_address"],
            tuple(ip["ip_address"] for ip in port["fixed_ips"]),
            tuple(ip["subnet_id"] for ip in port["fixed_ips"]),
            preexisting=bool(one.port_id),
        )

    def _create_port(self, user: Caller, server: Server, one: Requested) -> Procedure[str]:
        port: Document = {
            "network_id": one.network_id,
            "device_id": server.id,
            "admin_state_up": True,
            "tenant_id": server.project_id,
        }
        if one.fixed_ip:
            port["fixed_ips"] = [{"ip_address": one.fixed_ip}]
        groups = yield from self._groups(user, server)
        if groups:
            port["security_groups"] = groups
        target = self._target("POST", "/v2.0/ports", {"port": port})
        created = yield from self._send(self._process.for_user(user), target, "port")
        return str(created["id"])

    def _groups(self, user: Caller, server: Server) -> Procedure[list[str]]:
        """Ids of the security groups that a request names; `default` is Neutron's business."""
        if server.security_groups == ("default",):
            return []
        rows = yield from self._list(self._process.for_user(user), "security-groups", {"fields": "id"})
        named = yield from self._list(
            self._process.for_user(user), "security-groups", {"tenant_id": server.project_id}
        )
        known = {row["name"]: row["id"] for row in named} | {row["id"]: row["id"] for row in rows}
        for name in server.security_groups:
            if name not in known:
                raise ApiError(404, f"Security group {name} not found.")
        return [known[name] for name in server.security_groups]

    def describe(self, user: Caller, server: Server, *, again: bool = False) -> Procedure[None]:
        """Read back what a server's network looks like (`_build_network_info_model`), also when Neutron says
        it changed."""
        sender = self._process.for_ports(user)
        yield from self._list(sender, "ports", {"tenant_id": server.project_id, "device_id": server.id})
        if again and server.interfaces:
            networks = dict.fromkeys(interface.network_id for interface in server.interfaces)
            yield from self._list(sender, "networks", tuple(("id", network) for network in networks))
        for interface in server.interfaces:
            yield from self._describe(sender, interface)

    def _describe(self, sender: Sender, interface: Interface) -> Procedure[None]:
        for address in interface.addresses:
            yield from self._list(
                sender, "floatingips", {"fixed_ip_address": address, "port_id": interface.port_id}
            )
        if interface.subnets:
            yield from self._list(sender, "subnets", tuple(("id", subnet) for subnet in interface.subnets))
        dhcp = {"network_id": interface.network_id, "device_owner": "network:dhcp"}
        yield from self._list(sender, "ports", dhcp)
        yield from self._provider_of(sender, interface.network_id)

    def groups_of(self, user: Caller, servers: list[Server]) -> Procedure[dict[str, list[str]]]:
        """The security groups of servers, by server: asked of Neutron whenever a server is shown."""
        if not servers:
            return {}
        sender = self._process.for_user(user)
        ports: list[Document] = []
        for start in range(0, len(servers), IDS_AT_ONCE):
            some = servers[start : start + IDS_AT_ONCE]
            ports += yield from self._list(
                sender, "ports", tuple(("device_id", server.id) for server in some)
            )
        wanted = list(dict.fromkeys(group for port in ports for group in port["security_groups"]))
        names: dict[str, str] = {}
        if wanted:
            query = (*(("id", group) for group in wanted), ("fields", "id"), ("fields", "name"))
            rows = yield from self._list(sender, "security-groups", query)
            names = {row["id"]: row["name"] for row in rows}
        found: dict[str, list[str]] = {}
        for port in ports:
            held = found.setdefault(port["device_id"], [])
            held += [names[group] for group in port["security_groups"] if group in names]
        return found

    def release_all(self, user: Caller, server: Server) -> Procedure[None]:
        """Give up all of a server's ports."""
        yield from self._list(self._process.for_user(user), "ports", {"device_id": server.id})
        yield from self.release(user, server.interfaces)

    def release(self, user: Caller, interfaces: tuple[Interface, ...]) -> Procedure[None]:
        """Delete the ports that Nova made, unbind the user's own. One that is gone already is as good."""
        for one in interfaces:
            if one.preexisting:
                values = {"device_id": "", "device_owner": "", "binding:host_id": ""}
                yield from self._tolerant(self._process.for_ports(user), "PUT", one.port_id, {"port": values})
            else:
                yield from self._tolerant(self._process.for_user(user), "DELETE", one.port_id, None)

    def _tolerant(self, sender: Sender, method: str, port_id: str, document: object) -> Procedure[None]:
        target = self._target(method, f"/v2.0/ports/{port_id}", document)
        answer = yield from self._process.client.send(sender, target)
        if not answer.ok and answer.status != 404:
            raise ApiError(500, f"Neutron answered {answer.status} to {method} of port {port_id}")

    def _list(
        self, sender: Sender, collection: str, query: dict[str, str] | tuple[tuple[str, str], ...]
    ) -> Procedure[list[Document]]:
        text = urlencode(query)
        path = f"/v2.0/{collection}?{text}" if text else f"/v2.0/{collection}"
        member = collection.replace("-", "_")
        rows: list[Document] = yield from self._send(sender, self._target("GET", path), member)
        return rows

    def _get(self, sender: Sender, path: str, member: str) -> Procedure[Document]:
        row: Document = yield from self._send(sender, self._target("GET", path), member)
        return row

    @staticmethod
    def _target(method: str, path: str, document: object = None) -> Target:
        return Target("network", AGENT, method, path, document)

    def _send(self, sender: Sender, target: Target, member: str) -> Procedure[Any]:
        """One call; Neutron's refusals become Nova's."""
        try:
            answer = yield from self._process.client.send(sender, target)
        except (CallFailedError, AuthenticationError, EndpointNotFoundError) as error:
            raise ApiError(500, f"Neutron cannot be reached: {error}") from error
        if answer.ok:
            return answer.json()[member]
        if answer.status == 401:
            # Neutron refused the user's token: Nova passes that on (nova.network.neutron.ClientWrapper).
            raise ApiError(401, "The request you have made requires authentication.")
        detail = _message(answer.body)
        raise ApiError(min(500, answer.status), f"Neutron: {detail or answer.status}")


def _message(body: bytes) -> str:
    """Neutron's own words, as far as there are any."""
    try:
        fault = json.decode(body)
    except DecodeError:
        return ""
    inner = fault.get("NeutronError") if isinstance(fault, dict) else None
    return str(inner.get("message", "")) if isinstance(inner, dict) else ""
