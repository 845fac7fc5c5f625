"""What a simulated cloud holds when it starts: users and their roles, a catalog, flavors, a network, a
host."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.sim.keystone.directory_api import KINDS
from oidproxy.sim.neutron.kinds import NETWORK, SUBNET
from oidproxy.sim.nova.flavors_api import new_flavor
from oidproxy.sim.placement.model import Inventory, Placement, Provider

if TYPE_CHECKING:
    from oidproxy.sim.cinder.model import Cinder
    from oidproxy.sim.keystone.model import Keystone
    from oidproxy.sim.neutron.model import Neutron
    from oidproxy.sim.nova.model import Nova
    from oidproxy.sim.settings import CloudSettings

ROLES = ("admin", "manager", "member", "reader", "service")
PROJECTS = ("admin", "demo", "service")
SERVICE_USERS = ("glance", "nova", "neutron", "placement", "cinder")
GRANTS = (
    ("admin", "admin", "admin"),
    ("admin", "admin", "demo"),
    ("demo", "member", "demo"),
    ("demo", "reader", "demo"),
    *((user, role, "service") for user in SERVICE_USERS for role in ("admin", "service")),
)
"""User, role, project. `admin` is also administrator of the system and of the domain."""
CATALOG = (
    ("identity", "keystone", "/v3"),
    ("image", "glance", ""),
    ("compute", "nova", "/v2.1"),
    ("network", "neutron", ""),
    ("placement", "placement", ""),
    ("block-storage", "cinder", "/v3/$(project_id)s"),
)
"""Official type, name, and what follows the root of the URL."""
INTERFACES = ("public", "internal", "admin")
FLAVORS = (
    ("1", "m1.tiny", (512, 1, 1)),
    ("2", "m1.small", (2048, 20, 1)),
    ("3", "m1.medium", (4096, 40, 2)),
    ("4", "m1.large", (8192, 80, 4)),
    ("5", "m1.xlarge", (16384, 160, 8)),
)
HOST_INVENTORY = MappingProxyType(
    {
        "VCPU": Inventory(4096, 16.0),
        "MEMORY_MB": Inventory(64 << 20),
        "DISK_GB": Inventory(4 << 20),
    }
)
"""Room for some thousand servers: what is simulated is calls, not scarcity."""


def fill_keystone(keystone: Keystone, settings: CloudSettings) -> None:
    """The default domain, projects, users, roles, and the catalog."""
    _add(keystone, "domain", id="default", name="Default", description="The default domain")
    roles = {name: _add(keystone, "role", name=name) for name in ROLES}
    projects = {name: _add(keystone, "project", name=name) for name in PROJECTS}
    users = {
        name: _add_user(keystone, name, settings, projects) for name in ("admin", "demo", *SERVICE_USERS)
    }
    for user, role, project in GRANTS:
        keystone.grant(users[user], roles[role], "project", projects[project])
    keystone.grant(users["admin"], roles["admin"], "system", "all")
    keystone.grant(users["admin"], roles["admin"], "domain", "default")
    _add(keystone, "region", id=settings.region)
    for service_type, name, suffix in CATALOG:
        service = _add(keystone, "service", type=service_type, name=name)
        url = settings.public_url(service_type) + suffix
        for interface in INTERFACES:
            region = {"region_id": settings.region, "region": settings.region}
            _add(keystone, "endpoint", service_id=service, interface=interface, url=url, **region)


def _add_user(keystone: Keystone, name: str, settings: CloudSettings, projects: dict[str, str]) -> str:
    default = projects.get(name) if name in {"admin", "demo"} else None
    return _add(keystone, "user", name=name, password=settings.password, default_project_id=default)


def _add(keystone: Keystone, member: str, **values: object) -> str:
    """A new resource with the defaults that the API would give it; its id."""
    kind = next(kind for kind in KINDS if kind.member == member)
    document = {**kind.defaults, "id": keystone.sources.hex(), **values}
    table = getattr(keystone, kind.collection)
    return str(table.add(document)["id"])


def fill_nova(nova: Nova) -> None:
    """Flavors."""
    for identity, name, size in FLAVORS:
        nova.flavors.add(new_flavor(identity, name, size))


def fill_placement(placement: Placement, nova: Nova) -> None:
    """Nova's compute host."""
    placement.add(Provider(nova.provider_id, nova.host, HOST_INVENTORY))


def fill_neutron(neutron: Neutron, project_id: str) -> None:
    """One network that every project may use."""
    network = neutron.create(NETWORK, project_id, {"name": "private", "shared": True})
    given = {"name": "private-subnet", "network_id": network["id"], "ip_version": 4, "cidr": "10.8.0.0/20"}
    neutron.create(SUBNET, project_id, given)


def fill_cinder(cinder: Cinder) -> None:
    """Volume types; the first is the default."""
    for name in ("lvmdriver-1", "__DEFAULT__"):
        cinder.types.add(
            {
                "id": cinder.sources.uuid(), "name": name, "description": None, "is_public": True,
                "os-volume-type-access:is_public": True, "extra_specs": {}, "qos_specs_id": None,
            }
        )  # fmt: skip
