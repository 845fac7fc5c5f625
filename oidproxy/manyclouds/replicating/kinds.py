"""The kinds of resources that can be made in several clouds: how each is written, found and recognized.

What stands here is what the APIs of OpenStack say (docs.openstack.org/api-ref). A kind that is not here is
not replicated: nobody would know how to undo it, nor what became of it after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mark(Enum):
    """Where a resource keeps a word of ours, by which it is found again."""

    NONE = auto()
    METADATA = auto()
    """In `metadata`, free pairs of texts (Nova, Cinder)."""
    DESCRIPTION = auto()
    """At the end of `description` (Neutron's standard attributes; Cinder's backups)."""
    PROPERTY = auto()
    """As a property of its own (Glance)."""


class Naming(Enum):
    """What an id is, and whose choice."""

    CLOUD = auto()
    """Each cloud gives one of its own."""
    OURS = auto()
    """The request may choose it, so that it is the same in every cloud."""
    USER = auto()
    """It is the name that the user gave, which may be that of an older one, too."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource."""

    service_type: str
    name: str
    """Of its collection in paths: `security-groups`."""
    member: str
    """What its document stands under; empty where it is the document itself."""
    mark: Mark
    naming: Naming = Naming.CLOUD
    key: str = "id"
    """Where in the document its id stands."""
    detailed: str = ""
    """What follows the collection's path in a list that shows marks: `/detail`."""

    @property
    def rows(self) -> str:
        """What a list stands under."""
        return self.name.replace("-", "_").removeprefix("os_")


def _network(name: str, member: str, mark: Mark = Mark.DESCRIPTION) -> Kind:
    return Kind("network", name, member, mark)


KINDS: tuple[Kind, ...] = (
    # Image API v2: "id: A unique, user-defined image UUID"; any other key is a property.
    Kind("image", "images", "", Mark.PROPERTY, Naming.OURS),
    Kind("compute", "servers", "server", Mark.METADATA, detailed="/detail"),
    # Compute API: "flavor.id: Only alphanumeric characters … if not given, generated".
    Kind("compute", "flavors", "flavor", Mark.NONE, Naming.OURS),
    Kind("compute", "os-keypairs", "keypair", Mark.NONE, Naming.USER, "name"),
    Kind("compute", "os-server-groups", "server_group", Mark.NONE),
    Kind("block-storage", "volumes", "volume", Mark.METADATA, detailed="/detail"),
    Kind("block-storage", "snapshots", "snapshot", Mark.METADATA, detailed="/detail"),
    Kind("block-storage", "backups", "backup", Mark.DESCRIPTION, detailed="/detail"),
    _network("networks", "network"),
    _network("subnets", "subnet"),
    _network("ports", "port"),
    _network("routers", "router"),
    _network("security-groups", "security_group"),
    _network("security-group-rules", "security_group_rule"),
    _network("floatingips", "floatingip"),
    _network("subnetpools", "subnetpool"),
    _network("trunks", "trunk"),
    _network("address-scopes", "address_scope", Mark.NONE),
)

_BY_NAME: Mapping[tuple[str, str], Kind] = MappingProxyType(
    {(kind.service_type, kind.name): kind for kind in KINDS}
)


def kind_of(service_type: str, name: str) -> Kind | None:
    """The kind of this collection of this service; None for one that is not replicated."""
    return _BY_NAME.get((service_type, name))
