"""The route table: which paths are collections and items of one service, and what a method does to them.

Under several clouds a request is either understood or refused, never guessed (scope-language: Meaning). Read
from the API references of the services and from their routers. What is not in the table is no collection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from oidproxy.routing.decision import Asked, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = re.compile(rb"v\d+(?:\.\d+)?\Z")
_SLASH = re.compile(rb"%2[Ff]")
_READS = frozenset({"GET", "HEAD"})
_CHANGES = frozenset({"PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Table:
    """One service's collections."""

    collections: frozenset[bytes]
    groups: frozenset[bytes] = frozenset()
    """Segments that stand before collections, as Neutron's `/v2.0/qos/policies`."""
    views: frozenset[bytes] = frozenset()
    """What stands in the place of an item and is the collection itself: Nova's `/servers/detail`."""
    not_items: frozenset[bytes] = frozenset()
    """What stands in the place of an item and is neither."""
    acts: frozenset[bytes] = frozenset()
    """Below an item, what a POST to acts on the item, or on what belongs to it."""
    data: frozenset[bytes] = frozenset()
    """Below an item, its data."""
    project: bool = False
    """A project id may stand between version and collection."""
    reads_only: bool = False
    """Its resources are made and changed in one cloud only."""


def _names(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


_DETAIL = _names("detail")

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        "compute": Table(
            _names(
                "servers flavors os-keypairs os-server-groups os-aggregates os-hypervisors os-services "
                "os-migrations os-instance_usage_audit_log"
            ),
            views=_DETAIL,
            not_items=_names("statistics disable enable force-down disable-log-reason"),
            acts=_names(
                "action metadata os-extra_specs os-flavor-access os-interface os-volume_attachments tags"
            ),
            project=True,
        ),
        "image": Table(
            _names("images"),
            acts=_names("actions import members tags"),
            data=_names("file stage"),
        ),
        "network": Table(
            _names(
                "networks subnets subnetpools ports routers floatingips security-groups "
                "security-group-rules default-security-group-rules address-scopes address-groups agents "
                "rbac-policies trunks segments network_segment_ranges local_ips ndp_proxies flavors "
                "service_profiles policies logs metering-labels metering-label-rules bgpvpns bgp-speakers "
                "bgp-peers vpnservices ikepolicies ipsecpolicies endpoint-groups ipsec-site-connections "
                "firewall_groups firewall_policies firewall_rules port_pairs port_pair_groups port_chains "
                "flow_classifiers service_graphs tap_services tap_flows tap_mirrors network-ip-availabilities"
            ),
            groups=_names("qos log metering bgpvpn vpn fwaas sfc taas"),
            acts=_names("tags"),
        ),
        "block-storage": Table(
            _names(
                "volumes snapshots backups types groups group_snapshots group_types attachments qos-specs "
                "os-volume-transfer volume-transfers messages clusters"
            ),
            views=_DETAIL,
            not_items=_names("summary default"),
            acts=_names("action metadata extra_specs encryption"),
            project=True,
        ),
        # A project or a user is made at one Keystone, the one of the home.
        "identity": Table(_names("projects users groups domains roles"), reads_only=True),
        "shared-file-system": Table(
            _names(
                "shares snapshots share-networks share-servers share-groups share-group-snapshots "
                "security-services types share-replicas share-backups"
            ),
            views=_DETAIL,
            not_items=_names("default"),
            acts=_names("action metadata"),
            project=True,
        ),
        "dns": Table(_names("zones recordsets tlds tsigkeys blacklists pools"), acts=_names("tasks")),
        "key-manager": Table(_names("secrets containers orders")),
        "load-balancer": Table(
            _names(
                "loadbalancers listeners pools healthmonitors l7policies flavors flavorprofiles amphorae "
                "availabilityzones availabilityzoneprofiles providers"
            ),
            groups=_names("lbaas octavia"),
        ),
        "baremetal": Table(
            _names("nodes ports portgroups chassis drivers conductors allocations deploy_templates volume"),
            views=_DETAIL,
        ),
    }
)
"""Official type -> its table."""

_DESCRIPTIONS: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        "compute": re.compile(rb"extensions(?:/[^/]+)?\Z"),
        "network": re.compile(rb"extensions(?:/[^/]+)?\Z"),
        "image": re.compile(rb"(?:schemas/[^/]+|schemas/metadefs/[^/]+|info/import)\Z"),
        "block-storage": re.compile(rb"extensions(?:/[^/]+)?\Z"),
    }
)


def read(service_type: str, method: str, rest: bytes) -> tuple[Kind, Asked] | None:
    """What this request asks for; None if it is nothing that several clouds can be asked for."""
    table = TABLES.get(service_type)
    # A service may split the path after it decoded it: then there are other segments than seen here.
    asked = None if table is None or _SLASH.search(rest) else _asked(table, rest)
    if table is None or asked is None:
        return None
    kind = _of_item(table, method, asked) if asked.item else _of_collection(method)
    if kind is None or (table.reads_only and method not in _READS):
        return None
    return kind, asked


def describes(service_type: str, method: str, rest: bytes) -> bool:
    """Whether this reads what a service says of itself: extensions, schemas.

    As with version documents, clients read it before the call that they are about, and every cloud of one
    release says the same.
    """
    pattern = _DESCRIPTIONS.get(service_type)
    if pattern is None or method not in _READS:
        return False
    parts = _segments(rest)
    return len(parts) > 1 and _plain(parts[0], _VERSION) and pattern.match(b"/".join(parts[1:])) is not None


def _asked(table: Table, rest: bytes) -> Asked | None:
    """The parts of a path, as they stand there; the services read them percent-decoded."""
    parts = _segments(rest)
    at = 1
    if not parts or not _plain(parts[0], _VERSION):
        return None
    if len(parts) > at + 1 and _leads_on(table, _decoded(parts[at])):
        at += 1
    if len(parts) <= at or _decoded(parts[at]) not in table.collections:
        return None
    name, below = _decoded(parts[at]).decode("ascii"), parts[at + 1 :]
    collection = b"/" + b"/".join(parts[: at + 1])
    if not below or _decoded(below[0]) in table.views:
        return Asked(collection, name) if len(below) <= 1 else None
    if _decoded(below[0]) in table.not_items:
        return None
    return Asked(collection, name, below[0], b"".join(b"/" + part for part in below[1:]))


def _leads_on(table: Table, segment: bytes) -> bool:
    """Whether the collection's name only follows this segment: a group of collections, or a project id."""
    return segment in table.groups or (table.project and segment not in table.collections)


def _of_collection(method: str) -> Kind | None:
    if method in _READS:
        return Kind.COLLECTION
    return Kind.CREATE if method == "POST" else None


def _of_item(table: Table, method: str, asked: Asked) -> Kind | None:
    below = _decoded(asked.below[1:].partition(b"/")[0])
    if method in _READS:
        return Kind.ITEM_READ
    if below in table.data:
        return Kind.DATA if method == "PUT" else None
    if method in _CHANGES:
        return Kind.CHANGE
    if method == "DELETE":
        return Kind.CHANGE if below else Kind.DELETE
    return Kind.CHANGE if method == "POST" and below in table.acts else None


def _segments(rest: bytes) -> list[bytes]:
    """The path's segments as they came; empty ones mean nothing to any service of the table."""
    return [part for part in rest.split(b"/") if part]


def _decoded(segment: bytes) -> bytes:
    return unquote_to_bytes(segment) if b"%" in segment else segment


def _plain(segment: bytes, pattern: re.Pattern[bytes]) -> bool:
    return pattern.match(_decoded(segment)) is not None
