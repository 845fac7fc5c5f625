"""Which kind of resource an id names, by where it stands: in a path, under a key of a query or of JSON."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oidproxy.trace.line import Line


class Kind(NamedTuple):
    """A collection of one service."""

    service: str
    collection: str


ID = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})(?![0-9A-Za-z-])",
    re.IGNORECASE,
)
"""A UUID with or without its hyphens: what OpenStack's services make. Other ids (flavor `2`) are names."""

PROJECT, USER = Kind("identity", "projects"), Kind("identity", "users")

IMAGE = Kind("image", "images")
FLAVOR = Kind("compute", "flavors")
SERVER = Kind("compute", "servers")
NETWORK = Kind("network", "networks")
SUBNET = Kind("network", "subnets")
PORT = Kind("network", "ports")
ROUTER = Kind("network", "routers")
GROUP = Kind("network", "security-groups")
VOLUME = Kind("block-storage", "volumes")
SNAPSHOT = Kind("block-storage", "snapshots")

SHARED = frozenset({IMAGE, FLAVOR, NETWORK, SUBNET})
"""What many use and nobody is hurt by: one may stand for another in what is made."""

KEYS: Mapping[str, Kind] = MappingProxyType(
    {
        "project_id": PROJECT,
        "tenant_id": PROJECT,
        "owner": PROJECT,
        "target_tenant": PROJECT,
        "user_id": USER,
        "imageref": IMAGE,
        "image_id": IMAGE,
        "imageid": IMAGE,
        "image": IMAGE,
        "rescue_image_ref": IMAGE,
        "flavorref": FLAVOR,
        "flavor": FLAVOR,
        "server_id": SERVER,
        "instance_uuid": SERVER,
        "device_id": SERVER,
        "uuid": NETWORK,
        "network_id": NETWORK,
        "net_id": NETWORK,
        "floating_network_id": NETWORK,
        "subnet_id": SUBNET,
        "port": PORT,
        "port_id": PORT,
        "router_id": ROUTER,
        "security_group_id": GROUP,
        "remote_group_id": GROUP,
        "security_groups": GROUP,
        "volume_id": VOLUME,
        "volumeid": VOLUME,
        "source_volid": VOLUME,
        "snapshot_id": SNAPSHOT,
    }
)
"""Key of a query or of JSON, in lower case -> what an id under it names."""

_PROJECT_FIRST = frozenset(
    {"block-storage", "object-store", "database", "orchestration", "compute", "shared-file-system"}
)
_PROJECT_BEHIND = frozenset(
    {"quotas", "os-quota-sets", "os-simple-tenant-usage", "tenants", "projects", "quota-sets"}
)
_VERSION = re.compile(r"v[0-9][0-9.]*\Z")
_SAME = MappingProxyType(
    {"os-volumes": VOLUME, "os-networks": NETWORK, "os-volume_attachments": VOLUME, "members": PROJECT}
)


_SOURCES = MappingProxyType({"image": "image_id", "volume": "volume_id", "snapshot": "snapshot_id"})


def key_in(document: Mapping[str, object], key: str) -> str:
    """The key by which an id in this object is known: Nova's block devices call all of them `uuid`."""
    if key == "uuid" and "source_type" in document:
        return _SOURCES.get(str(document["source_type"]), key)
    return key


def of_path(service: str, segments: list[str], at: int) -> Kind:
    """What the id in this segment of a path names: what the segment before it says."""
    before = segments[at - 1] if at else ""
    if before in _PROJECT_BEHIND or (service in _PROJECT_FIRST and _VERSION.match(before)):
        return PROJECT
    if before == "users":
        return USER
    return _SAME.get(before) or Kind(service, before)


def of_query(service: str, path: str, key: str) -> Kind:
    """What an id under this key of a query names; `id` and `marker` are of the collection itself."""
    if key in {"id", "marker"}:
        return Kind(service, collection(path))
    return KEYS.get(key.lower()) or Kind(service, key)


def collection(path: str) -> str:
    """The last segment of a collection's path, without what only says how much is shown."""
    segments = [one for one in path.split("/") if one]
    if segments and segments[-1] == "detail":
        segments.pop()
    return segments[-1] if segments else ""


def is_collection(path: str) -> bool:
    """Whether a path ends with a collection's name rather than with an id or a version."""
    last = path.rstrip("/").rpartition("/")[2]
    return bool(last) and not ID.fullmatch(last) and not _VERSION.match(last)


def ids_of(line: Line) -> Iterator[tuple[Kind, str]]:
    """Every id that a request uses where its place tells what it names."""
    if ID.search(line.path):
        segments = line.path.split("/")
        for at, segment in enumerate(segments):
            for one in ID.findall(segment):
                yield of_path(line.service, segments, at), one
    if line.query and ID.search(line.query):
        for pair in line.query.split("&"):
            key, _, value = pair.partition("=")
            for one in ID.findall(value):
                yield of_query(line.service, line.path, key), one
    if line.request_body is not None:
        yield from _in_body(line.request_body, "")


def _in_body(value: Any, key: str) -> Iterator[tuple[Kind, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _in_body(one, key_in(value, name))
    elif isinstance(value, list):
        for one in value:
            yield from _in_body(one, key)
    elif isinstance(value, str):
        kind = KEYS.get(key.lower())
        if kind is not None:
            for one in ID.findall(value):
                yield kind, one
