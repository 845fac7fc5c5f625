"""Neutron's resources as tables: which attributes each has, who may set them, when, and who sees them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a resource."""

    default: Any = None
    post: bool = True
    put: bool = True
    privileged: bool = False
    """Set and seen only by administrators and services."""
    admin_set: bool = False
    """Set only by administrators, seen by all."""


READ_ONLY = Attribute(post=False, put=False)
TEXT = Attribute("")
FIXED = Attribute(put=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource."""

    member: str
    collection: str
    error: str
    """What its errors are called after: `NetworkNotFound`."""
    attributes: Mapping[str, Attribute]
    required: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Its collection in URLs."""
        return self.collection.replace("_", "-")


def _attributes(**attributes: Attribute) -> Mapping[str, Attribute]:
    """The attributes that every resource has, and those given; `__` stands for a colon."""
    own = {name.replace("__", ":"): attribute for name, attribute in attributes.items()}
    standard = {
        "id": READ_ONLY,
        "tenant_id": Attribute(put=False),
        "project_id": Attribute(put=False),
        "description": TEXT,
        "created_at": READ_ONLY,
        "updated_at": READ_ONLY,
        "revision_number": READ_ONLY,
        "tags": READ_ONLY,
    }
    return MappingProxyType({**standard, **own})


NETWORK = Kind(
    "network",
    "networks",
    "Network",
    _attributes(
        name=TEXT,
        admin_state_up=Attribute(default=True),
        shared=Attribute(default=False, admin_set=True),
        router__external=Attribute(default=False, admin_set=True),
        is_default=Attribute(default=False),
        mtu=Attribute(1450),
        port_security_enabled=Attribute(default=True),
        availability_zone_hints=Attribute((), put=False),
        availability_zones=READ_ONLY,
        ipv4_address_scope=READ_ONLY,
        ipv6_address_scope=READ_ONLY,
        dns_domain=TEXT,
        qos_policy_id=Attribute(),
        status=READ_ONLY,
        subnets=READ_ONLY,
        provider__network_type=Attribute("vxlan", privileged=True),
        provider__physical_network=Attribute(privileged=True),
        provider__segmentation_id=Attribute(privileged=True),
    ),
)
SUBNET = Kind(
    "subnet",
    "subnets",
    "Subnet",
    _attributes(
        name=TEXT,
        network_id=FIXED,
        ip_version=FIXED,
        cidr=FIXED,
        prefixlen=FIXED,
        subnetpool_id=FIXED,
        use_default_subnetpool=FIXED,
        gateway_ip=Attribute(),
        allocation_pools=Attribute(),
        dns_nameservers=Attribute(()),
        host_routes=Attribute(()),
        enable_dhcp=Attribute(default=True),
        ipv6_address_mode=FIXED,
        ipv6_ra_mode=FIXED,
        service_types=Attribute(()),
        dns_publish_fixed_ip=Attribute(default=False),
        segment_id=Attribute(),
        router__external=READ_ONLY,
    ),
    required=("network_id", "ip_version"),
)
PORT = Kind(
    "port",
    "ports",
    "Port",
    _attributes(
        name=TEXT,
        network_id=FIXED,
        admin_state_up=Attribute(default=True),
        mac_address=FIXED,
        fixed_ips=Attribute(),
        device_id=TEXT,
        device_owner=TEXT,
        security_groups=Attribute(),
        allowed_address_pairs=Attribute(()),
        extra_dhcp_opts=Attribute(()),
        port_security_enabled=Attribute(default=True),
        dns_name=TEXT,
        dns_assignment=READ_ONLY,
        qos_policy_id=Attribute(),
        propagate_uplink_status=Attribute(default=True),
        status=READ_ONLY,
        binding__vnic_type=Attribute("normal"),
        binding__host_id=Attribute("", privileged=True),
        binding__profile=Attribute(MappingProxyType({}), privileged=True),
        binding__vif_type=Attribute("unbound", post=False, put=False, privileged=True),
        binding__vif_details=Attribute(MappingProxyType({}), post=False, put=False, privileged=True),
    ),
    required=("network_id",),
)
SECURITY_GROUP = Kind(
    "security_group",
    "security_groups",
    "SecurityGroup",
    _attributes(
        name=TEXT,
        stateful=Attribute(default=True),
        shared=READ_ONLY,
        security_group_rules=READ_ONLY,
    ),
)
SECURITY_GROUP_RULE = Kind(
    "security_group_rule",
    "security_group_rules",
    "SecurityGroupRule",
    _attributes(
        security_group_id=FIXED,
        direction=FIXED,
        ethertype=Attribute("IPv4", put=False),
        protocol=FIXED,
        port_range_min=FIXED,
        port_range_max=FIXED,
        remote_ip_prefix=FIXED,
        remote_group_id=FIXED,
        remote_address_group_id=FIXED,
        normalized_cidr=READ_ONLY,
        belongs_to_default_sg=READ_ONLY,
    ),
    required=("security_group_id", "direction"),
)
ROUTER = Kind(
    "router",
    "routers",
    "Router",
    _attributes(
        name=TEXT,
        admin_state_up=Attribute(default=True),
        external_gateway_info=Attribute(),
        distributed=Attribute(default=False, admin_set=True),
        ha=Attribute(default=False, admin_set=True),
        routes=Attribute((), post=False),
        availability_zone_hints=Attribute((), put=False),
        availability_zones=READ_ONLY,
        flavor_id=FIXED,
        status=READ_ONLY,
    ),
)
KINDS = (NETWORK, SUBNET, PORT, SECURITY_GROUP, SECURITY_GROUP_RULE, ROUTER)

EXTENSIONS = (
    ("agent", "agent"),
    ("allowed-address-pairs", "Allowed Address Pairs"),
    ("auto-allocated-topology", "Auto Allocated Topology Services"),
    ("availability_zone", "Availability Zone"),
    ("binding", "Port Binding"),
    ("default-subnetpools", "Default Subnetpools"),
    ("dns-integration", "DNS Integration"),
    ("external-net", "Neutron external network"),
    ("extra_dhcp_opt", "Neutron Extra DHCP options"),
    ("extraroute", "Neutron Extra Route"),
    ("net-mtu", "Network MTU"),
    ("network_availability_zone", "Network Availability Zone"),
    ("pagination", "Pagination support"),
    ("port-security", "Port Security"),
    ("project-id", "project_id field enabled"),
    ("provider", "Provider Network"),
    ("quotas", "Quota management support"),
    ("quota_details", "Quota details management support"),
    ("router", "Neutron L3 Router"),
    ("security-group", "security-group"),
    ("sorting", "Sorting support"),
    ("standard-attr-description", "standard-attr-description"),
    ("standard-attr-revisions", "Resource revision numbers"),
    ("standard-attr-tag", "Tag support for resources with standard attribute"),
    ("standard-attr-timestamp", "Resource timestamps"),
)
"""Alias and name, as `/v2.0/extensions` lists them."""
