"""The networks, subnets, ports, security groups and routers of one Neutron."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.sim.faults import ApiError
from oidproxy.sim.neutron import addresses
from oidproxy.sim.neutron.kinds import (
    KINDS,
    NETWORK,
    PORT,
    ROUTER,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    SUBNET,
    Kind,
)
from oidproxy.sim.table import Table
from oidproxy.sim.timestamps import zulu

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Document
    from oidproxy.sim.sources import Sources

AUTO_DELETED = frozenset({"network:dhcp"})
"""Owners of ports that go with their network."""
BOUND: Mapping[str, Any] = MappingProxyType(
    {
        "binding:vif_type": "ovs",
        "binding:vif_details": {"port_filter": True, "connectivity": "l2", "bridge_name": "br-int"},
        "status": "ACTIVE",
    }
)  # fmt: skip
DEFAULT_RULES = (
    ("egress", "IPv4", False),
    ("egress", "IPv6", False),
    ("ingress", "IPv4", True),
    ("ingress", "IPv6", True),
)
"""Direction, ethertype, and whether only from the group itself: the rules of a project's `default` group."""


class Neutron:
    """The state of one Neutron."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.tables = {
            kind.collection: Table(f"{kind.error} %s could not be found.", f"{kind.error}NotFound")
            for kind in KINDS
        }
        self._addresses = addresses.Allocations()
        self._segment = 1000

    def table(self, kind: Kind) -> Table:
        """The resources of a kind."""
        return self.tables[kind.collection]

    def _base(self, kind: Kind, project_id: str, given: Document) -> Document:
        now = zulu(self.sources.now())
        defaults = {name: _mutable(attribute.default) for name, attribute in kind.attributes.items()}
        return {
            **defaults,
            **given,
            "id": self.sources.uuid(),
            "tenant_id": project_id,
            "project_id": project_id,
            "created_at": now,
            "updated_at": now,
            "revision_number": 0,
            "tags": [],
        }

    def create(self, kind: Kind, project_id: str, given: Document) -> Document:
        """A new resource."""
        document = self._base(kind, project_id, given)
        match kind.member:
            case "network":
                self._complete_network(document)
            case "subnet":
                self._complete_subnet(document, given)
            case "port":
                self._complete_port(document, given)
            case "security_group":
                document |= {"shared": False, "security_group_rules": []}
            case "security_group_rule":
                self.table(SECURITY_GROUP).get(document["security_group_id"])
                document |= {"normalized_cidr": document["remote_ip_prefix"], "belongs_to_default_sg": False}
            case "router":
                document |= {"status": "ACTIVE", "availability_zones": ["nova"]}
        self.table(kind).add(document)
        if kind is SECURITY_GROUP:
            self._add_rules(document, DEFAULT_RULES if document["name"] == "default" else DEFAULT_RULES[:2])
        return document

    def _complete_network(self, document: Document) -> None:
        self._segment += 1
        document |= {"status": "ACTIVE", "subnets": [], "availability_zones": ["nova"]}
        if document["provider:segmentation_id"] is None:
            document["provider:segmentation_id"] = self._segment

    def _complete_subnet(self, document: Document, given: Document) -> None:
        network = self.table(NETWORK).get(document["network_id"])
        if not document["cidr"]:
            raise ApiError(
                400, "Bad subnet request: a subnetpool or a CIDR must be specified.", kind="BadRequest"
            )
        cidr = addresses.network_of(document["cidr"], document["ip_version"])
        document["cidr"] = str(cidr)
        document["gateway_ip"] = addresses.gateway_of(cidr, given.get("gateway_ip", ""))
        document["allocation_pools"] = addresses.pools_of(
            cidr, document["gateway_ip"], document["allocation_pools"]
        )
        document.pop("use_default_subnetpool")
        document.pop("prefixlen")
        document["router:external"] = network["router:external"]
        self.table(NETWORK).change(network["id"], subnets=[*network["subnets"], document["id"]])

    def _complete_port(self, document: Document, given: Document) -> None:
        network = self.table(NETWORK).get(document["network_id"])
        if document["mac_address"] is None:
            tail = self.sources.octets(3)
            document["mac_address"] = "fa:16:3e:" + ":".join(f"{octet:02x}" for octet in tail)
        document["fixed_ips"] = self._fixed_ips(network, given.get("fixed_ips"))
        if given.get("security_groups") is None:
            groups = (
                [self.default_group(document["project_id"])["id"]]
                if document["port_security_enabled"]
                else []
            )
            document["security_groups"] = groups
        document |= {"status": "DOWN", "dns_assignment": []}
        if document["binding:host_id"]:
            document.update(BOUND)

    def _fixed_ips(self, network: Document, wanted: list[Document] | None) -> list[Document]:
        """One address of the first IPv4 subnet and one of the first IPv6 subnet, or exactly what was asked
        for."""
        table = self.table(SUBNET)
        if wanted is not None:
            return [self._wanted_ip(network, one) for one in wanted]
        chosen: dict[int, Document] = {}
        for subnet_id in network["subnets"]:
            subnet = table.get(subnet_id)
            chosen.setdefault(subnet["ip_version"], subnet)
        return [{"subnet_id": one["id"], "ip_address": self._addresses.take(one)} for one in chosen.values()]

    def _wanted_ip(self, network: Document, wanted: Document) -> Document:
        table = self.table(SUBNET)
        address = str(wanted.get("ip_address") or "")
        if "subnet_id" in wanted:
            subnet = table.get(wanted["subnet_id"])
        else:
            subnets = [table.get(subnet_id) for subnet_id in network["subnets"]]
            subnet = next((one for one in subnets if _contains(one, address)), {})
        if not subnet or subnet["network_id"] != network["id"]:
            message = (
                f"IP address {address} is not a valid IP for any of the subnets on the specified network."
            )
            raise ApiError(400, message, kind="InvalidIpForNetwork")
        return {"subnet_id": subnet["id"], "ip_address": self._addresses.take(subnet, address)}

    def _add_rules(self, group: Document, rules: tuple[tuple[str, str, bool], ...]) -> None:
        for direction, ethertype, own in rules:
            given = {
                "security_group_id": group["id"],
                "direction": direction,
                "ethertype": ethertype,
                "remote_group_id": group["id"] if own else None,
            }
            self.create(SECURITY_GROUP_RULE, group["project_id"], given)

    def default_group(self, project_id: str) -> Document:
        """A project's `default` security group, made when it is first needed."""
        table = self.table(SECURITY_GROUP)
        found = table.find(project_id=project_id, name="default")
        return found or self.create(
            SECURITY_GROUP, project_id, {"name": "default", "description": "Default security group"}
        )

    def update(self, kind: Kind, document: Document, given: Document) -> Document:
        """Change a resource; a port that gets a host is bound and becomes ACTIVE."""
        values = dict(given)
        if kind is PORT:
            values |= self._port_changes(document, given)
        values["updated_at"] = zulu(self.sources.now())
        values["revision_number"] = document["revision_number"] + 1
        return self.table(kind).change(document["id"], **values)

    def _port_changes(self, port: Document, given: Document) -> Document:
        changes: Document = {}
        if "fixed_ips" in given:
            self._free(port)
            changes["fixed_ips"] = self._fixed_ips(
                self.table(NETWORK).get(port["network_id"]), given["fixed_ips"]
            )
        if "binding:host_id" in given:
            unbound = {"binding:vif_type": "unbound", "binding:vif_details": {}, "status": "DOWN"}
            changes |= dict(BOUND) if given["binding:host_id"] else unbound
        return changes

    def delete(self, kind: Kind, document: Document) -> None:
        """Forget a resource; 409 when another one needs it."""
        identity = document["id"]
        match kind.member:
            case "network":
                self._empty_network(document)
            case "subnet":
                self._leave_subnet(document)
            case "port":
                if document["device_owner"] == "network:router_interface":
                    raise ApiError(
                        409,
                        f"Port {identity} cannot be deleted directly via the port API.",
                        kind="ServicePortInUse",
                    )
                self._free(document)
            case "security_group":
                self._empty_group(document)
            case "router":
                if self.table(PORT).where(device_id=identity):
                    raise ApiError(409, f"Router {identity} still has ports", kind="RouterInUse")
        self.table(kind).remove(identity)

    def _empty_network(self, network: Document) -> None:
        ports = self.table(PORT).where(network_id=network["id"])
        if any(port["device_owner"] not in AUTO_DELETED for port in ports):
            message = (
                f"Unable to complete operation on network {network['id']}: ports are still in use on it."
            )
            raise ApiError(409, message, kind="NetworkInUse")
        for port in ports:
            self.delete(PORT, port)
        for subnet_id in network["subnets"]:
            self.table(SUBNET).remove(subnet_id)

    def _leave_subnet(self, subnet: Document) -> None:
        if any(ip["subnet_id"] == subnet["id"] for port in self.table(PORT) for ip in port["fixed_ips"]):
            message = f"Unable to complete operation on subnet {subnet['id']}: One or more ports have an IP."
            raise ApiError(409, message, kind="SubnetInUse")
        network = self.table(NETWORK).get(subnet["network_id"])
        rest = [one for one in network["subnets"] if one != subnet["id"]]
        self.table(NETWORK).change(network["id"], subnets=rest)

    def _empty_group(self, group: Document) -> None:
        if group["name"] == "default":
            raise ApiError(
                409,
                "Insufficient rights for removing default security group.",
                kind="SecurityGroupCannotRemoveDefault",
            )
        if any(group["id"] in port["security_groups"] for port in self.table(PORT)):
            raise ApiError(409, f"Security Group {group['id']} in use.", kind="SecurityGroupInUse")
        for rule in self.table(SECURITY_GROUP_RULE).where(security_group_id=group["id"]):
            self.table(SECURITY_GROUP_RULE).remove(rule["id"])

    def _free(self, port: Document) -> None:
        for ip in port["fixed_ips"]:
            self._addresses.give_back(ip["subnet_id"], ip["ip_address"])

    def seen_by(self, caller: Caller, kind: Kind, document: Document) -> bool:
        """Whether a caller may know of a resource: its project's, shared networks' and their subnets, or any
        for admins."""
        if caller.is_admin or document["project_id"] == caller.project_id:
            return True
        if kind is SUBNET:
            document = self.table(NETWORK).get(document["network_id"])
        if kind is NETWORK or kind is SUBNET:
            return bool(document["shared"] or document["router:external"])
        return False

    def attach(self, router: Document, subnet: Document) -> Document:
        """Give a router a port in a subnet: the subnet's gateway address."""
        given = {
            "network_id": subnet["network_id"],
            "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}],
            "security_groups": [],
        }
        port = self.create(PORT, router["project_id"], given)
        owner = {"device_id": router["id"], "device_owner": "network:router_interface", "status": "ACTIVE"}
        return self.table(PORT).change(port["id"], **owner)

    def detach(self, router: Document, subnet_id: str) -> Document:
        """Take a router's port in a subnet away; 404 when it has none."""
        for port in self.table(PORT).where(device_id=router["id"]):
            if any(ip["subnet_id"] == subnet_id for ip in port["fixed_ips"]):
                self._free(port)
                return self.table(PORT).remove(port["id"])
        message = f"Router {router['id']} has no interface on subnet {subnet_id}"
        raise ApiError(404, message, kind="RouterInterfaceNotFoundForSubnet")

    def topology(self, project_id: str) -> Document:
        """The network of a project that was made for it (get-me-a-network): made when it is first asked
        for."""
        network = self.table(NETWORK).find(project_id=project_id, name="auto_allocated_network")
        if network is None:
            network = self.create(NETWORK, project_id, {"name": "auto_allocated_network"})
            third = len(self.table(NETWORK)) % 256
            given = {
                "network_id": network["id"],
                "ip_version": 4,
                "cidr": f"10.77.{third}.0/24",
                "name": "auto_allocated_subnet_v4",
            }
            self.create(SUBNET, project_id, given)
        return network

    def router_of(self, identity: str) -> Document:
        """A router."""
        return self.table(ROUTER).get(identity)


def _contains(subnet: Document, address: str) -> bool:
    return bool(address) and ip_address(address) in ip_network(subnet["cidr"])


def _mutable(default: Any) -> Any:
    """A fresh list or dict in place of the table's immutable one."""
    if isinstance(default, tuple):
        return list(default)
    return dict(default) if isinstance(default, Mapping) else default
