"""Which paths are collections that can be united, and how each is sorted, paged and linked.

Read from the services' sources: Nova's `api/openstack/compute/schemas/servers.py` (sort keys),
`compute/instance_list.py` (order), `api/openstack/common.py` (pages); Cinder's `api/common.py`; Glance's
`api/v2/images.py`; Neutron's `api/api_common.py`; Keystone's `server/flask/common.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Links(StrEnum):
    """How an API tells of the next page."""

    NAMED = "named"
    """`"servers_links": [{"rel": "next", "href": URL}]`: Nova, Cinder, Neutron and most others."""
    PATHS = "paths"
    """`"next": path` and `"first": path`, without a host: Glance."""
    RELATIONS = "relations"
    """`"links": {"next": URL or null, …}`: Keystone, Designate."""
    BARE = "bare"
    """`"next": URL`: what is made of Pecan (Ironic, Magnum), Barbican, Mistral."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of an order: the API's name of it, the row's member that holds it, and its direction."""

    name: str
    member: str
    """Empty where no member shows what is sorted by."""
    descending: bool


@dataclass(frozen=True, slots=True)
class Sorting:
    """What an API lets a client sort by, and how it sorts unasked. The id decides what is left equal."""

    default: tuple[SortKey, ...] = ()
    members: Mapping[str, str] | None = field(default=None, hash=False)
    """The API's sort key -> member of a row. None: any key is the member of that name."""
    descending: bool = False
    """The direction of a key that was given without one."""
    compact: bool = False
    """Whether `sort=name:asc,size:desc` is understood, too (Glance, Cinder)."""

    def takes(self, name: str) -> bool:
        """Whether this is a sort key; of others Nova takes no notice, and Cinder complains."""
        return self.members is None or name in self.members

    def key(self, name: str, *, descending: bool) -> SortKey:
        """A key that the client named."""
        member = name if self.members is None else self.members[name]
        return SortKey(name, member, descending)


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection: what merging has to know of its API."""

    service_type: str
    rest: bytes
    """The path below the service as the client wrote it: `/v2.1/servers/detail`."""
    list_key: str
    """The answer's member that holds the rows; empty: found by looking at the answers."""
    links: Links = Links.NAMED
    sorting: Sorting = field(default_factory=Sorting)
    id_path: tuple[str, ...] = ("id",)
    """Where a row has its id: `keypair`, `name`."""
    whole: bool = False
    """Whether clouds are asked for all of their rows at every page: an API without pages, or with rules of
    its own for them that are not known here. Its rows are sorted here."""
    maximum: int | None = None
    """Rows in a page at most, by the API's default configuration."""
    zero_is_none: bool = False
    """Whether `limit=0` means no rows; elsewhere it means no limit."""
    asks_maximum: bool = False
    """Whether a page is short unless a limit is given (Glance: 25)."""
    brief: frozenset[str] = frozenset()
    """The members of a row, where the same path and `/detail` shows the others: if the order needs one of
    those, the details are read and cut down to these."""
    annotatable: bool = True
    """Whether rows may get a member of ours: not images, whose unknown members become properties."""

    def item(self, identity: str) -> bytes:
        """The path of one row below the service. The id is quoted as a path's segment."""
        many = self.rest.rstrip(b"/").removesuffix(b"/detail").removesuffix(b".json")
        return many + b"/" + _quoted(identity)

    def page_size(self, limit: int | None) -> int | None:
        """The most rows that this API gives for a limit; None is all."""
        if limit is None or (limit == 0 and not self.zero_is_none):
            return None
        return limit if self.maximum is None else min(limit, self.maximum)


_BRIEF = frozenset({"id", "name", "links", "description"})
_SEGMENT = re.compile(rb"[^A-Za-z0-9._~-]")


def _quoted(identity: str) -> bytes:
    return _SEGMENT.sub(lambda found: b"%%%02X" % found[0][0], identity.encode("utf-8", "surrogatepass"))


_NEWEST = (SortKey("created_at", "created_at", descending=True),)

# Nova ignores the sort keys that are no use to a client (SERVER_LIST_IGNORE_SORT_KEY), `id` among them.
_SERVERS = Sorting(
    default=(SortKey("created_at", "created", descending=True),),
    members=MappingProxyType(
        {
            "access_ip_v4": "accessIPv4",
            "access_ip_v6": "accessIPv6",
            "auto_disk_config": "OS-DCF:diskConfig",
            "availability_zone": "OS-EXT-AZ:availability_zone",
            "config_drive": "config_drive",
            "created_at": "created",
            "display_description": "description",
            "display_name": "name",
            "host": "OS-EXT-SRV-ATTR:host",
            "hostname": "OS-EXT-SRV-ATTR:hostname",
            "image_ref": "",
            "instance_type_id": "",
            "kernel_id": "OS-EXT-SRV-ATTR:kernel_id",
            "key_name": "key_name",
            "launch_index": "OS-EXT-SRV-ATTR:launch_index",
            "launched_at": "OS-SRV-USG:launched_at",
            "locked": "locked",
            "node": "OS-EXT-SRV-ATTR:hypervisor_hostname",
            "power_state": "OS-EXT-STS:power_state",
            "progress": "progress",
            "project_id": "tenant_id",
            "ramdisk_id": "OS-EXT-SRV-ATTR:ramdisk_id",
            "root_device_name": "OS-EXT-SRV-ATTR:root_device_name",
            "task_state": "OS-EXT-STS:task_state",
            "terminated_at": "OS-SRV-USG:terminated_at",
            "updated_at": "updated",
            "user_id": "user_id",
            "uuid": "id",
            "vm_state": "OS-EXT-STS:vm_state",
        }
    ),
    descending=True,
)
_FLAVORS = Sorting(
    default=(SortKey("flavorid", "id", descending=False),),
    members=MappingProxyType(
        {
            "created_at": "",
            "description": "description",
            "disabled": "OS-FLV-DISABLED:disabled",
            "ephemeral_gb": "OS-FLV-EXT-DATA:ephemeral",
            "flavorid": "id",
            "is_public": "os-flavor-access:is_public",
            "memory_mb": "ram",
            "name": "name",
            "root_gb": "disk",
            "rxtx_factor": "rxtx_factor",
            "swap": "swap",
            "vcpus": "vcpus",
        }
    ),
)
_IMAGES = Sorting(default=_NEWEST, descending=True, compact=True)
_VOLUMES = Sorting(
    default=_NEWEST,
    members=MappingProxyType(
        {
            "availability_zone": "availability_zone",
            "bootable": "bootable",
            "created_at": "created_at",
            "description": "description",
            "display_description": "description",
            "display_name": "name",
            "host": "os-vol-host-attr:host",
            "id": "id",
            "name": "name",
            "project_id": "os-vol-tenant-attr:tenant_id",
            "size": "size",
            "snapshot_id": "snapshot_id",
            "source_volid": "source_volid",
            "status": "status",
            "updated_at": "updated_at",
            "user_id": "user_id",
            "volume_id": "volume_id",
        }
    ),
    descending=True,
    compact=True,
)
_ANY = Sorting()

_PROJECT = rb"(?:/[0-9a-f]{32}|/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?"
_COMPUTE = re.compile(rb"/v2(?:\.\d+)?" + _PROJECT + rb"/(?:os-keypairs|(servers|flavors)(/detail)?)/?\Z")
_BLOCKS = re.compile(rb"/v[23]" + _PROJECT + rb"/(volumes|snapshots)(/detail)?/?\Z")
_NETWORK = re.compile(
    rb"/v2\.0/(networks|subnets|subnetpools|ports|routers|security-groups|security-group-rules|floatingips"
    rb"|address-groups|address-scopes|trunks)(?:\.json)?/?\Z"
)
_OTHERS = re.compile(
    rb"/v\d+(?:\.\d+)?"
    + _PROJECT
    + rb"/(?:(?:OS-[A-Z0-9-]+|auth|bgpvpn|fwaas|lbaas|qos|vpn|sfc|taas|octavia)/)?"
    + rb"([a-z][a-z_-]*s)(?:/detail|\.json)?/?\Z"
)
# Plural, and yet one document; or what every cloud has the same of.
_NO_COLLECTIONS = frozenset(
    {b"limits", b"extensions", b"schemas", b"versions", b"statistics", b"quotas", b"tokens"}
)
# Object storage lists in arrays of its own, placement is the services' own business.
_NO_SERVICES = frozenset({"object-store", "placement"})
_FORMS: Mapping[str, Links] = MappingProxyType(
    {
        "identity": Links.RELATIONS,
        "dns": Links.RELATIONS,
        "image": Links.PATHS,
        "key-manager": Links.BARE,
        "baremetal": Links.BARE,
        "baremetal-introspection": Links.BARE,
        "container-infrastructure-management": Links.BARE,
        "application-container": Links.BARE,
        "workflow": Links.BARE,
        "resource-optimization": Links.BARE,
        "accelerator": Links.BARE,
    }
)


def collection(service_type: str, rest: bytes) -> Collection | None:
    """The collection at this path (below the service, without query); None if it is none that can be united.

    What no table names is recognised by the rules of OpenStack's APIs: a plural right behind the version (and
    the project) is a collection, its answer an object with one list. Of such a one every cloud is asked for
    all its rows at every page.
    """
    match service_type:
        case "compute":
            found = _compute(rest)
        case "block-storage":
            found = _blocks(rest)
        case "network":
            found = _network(rest)
        case "image" if rest.rstrip(b"/") == b"/v2/images":
            found = _images(rest)
        case _:
            found = None
    return found or _recognised(service_type, rest)


def _compute(rest: bytes) -> Collection | None:
    found = _COMPUTE.match(rest)
    if found is None:
        return None
    name, detail = found.groups()
    if name is None:
        # Pages came with microversion 2.35; below it a limit and a marker are ignored.
        return Collection("compute", rest, "keypairs", id_path=("keypair", "name"), whole=True)
    return Collection(
        "compute",
        rest,
        name.decode(),
        sorting=_SERVERS if name == b"servers" else _FLAVORS,
        maximum=1000,
        brief=frozenset() if detail else _BRIEF if name == b"flavors" else _BRIEF - {"description"},
    )


def _blocks(rest: bytes) -> Collection | None:
    found = _BLOCKS.match(rest)
    if found is None:
        return None
    name, detail = found.groups()
    brief = _BRIEF - {"description"} if name == b"volumes" and not detail else frozenset()
    return Collection(
        "block-storage", rest, name.decode(), sorting=_VOLUMES, maximum=1000, zero_is_none=True, brief=brief
    )


def _network(rest: bytes) -> Collection | None:
    found = _NETWORK.match(rest)
    if found is None:
        return None
    return Collection("network", rest, found[1].decode().replace("-", "_"), sorting=_ANY)


def _images(rest: bytes) -> Collection:
    return Collection(
        "image",
        rest,
        "images",
        Links.PATHS,
        _IMAGES,
        maximum=1000,
        zero_is_none=True,
        asks_maximum=True,
        annotatable=False,
    )


def _recognised(service_type: str, rest: bytes) -> Collection | None:
    found = _OTHERS.match(rest)
    if found is None or service_type in _NO_SERVICES or found[1] in _NO_COLLECTIONS:
        return None
    known = service_type == "identity" and found[1] in {b"projects", b"users"}
    return Collection(
        service_type,
        rest,
        found[1].decode() if known else "",
        _FORMS.get(service_type, Links.NAMED),
        whole=True,
        annotatable=service_type != "image",
    )
