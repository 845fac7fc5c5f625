"""Paths of OpenStack's services as templates (`/v2.1/servers/{server_id}/action`), and the ids in them."""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote

from oidproxy.routing.resources import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ID = r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}"
"""What nothing but an id looks like: a UUID, with its hyphens or without."""

KNOWN_AT_MOST = 4096
"""Shapes of paths that are remembered: clients choose names in them."""

_AT_IDS = re.compile(r"/([0-9A-Fa-f][0-9A-Fa-f-]{31,35})(?![^/])")
"""Where a path is cut at its ids; looser than `ID`, and three times as fast."""
_AT_IDS_OF_BYTES = re.compile(_AT_IDS.pattern.encode())
_VERSION = re.compile(r"v\d+(?:\.\d+)?\Z")
_HOLE = "{}"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COLLECTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "compute": _words(
            "images os-networks os-floating-ips os-security-groups os-security-group-rules os-volumes "
            "os-snapshots os-tenant-networks os-quota-sets os-quota-class-sets os-simple-tenant-usage "
            "os-hosts os-agents os-server-external-events os-baremetal-nodes"
        ),
        "image": _words("tasks namespaces resource_types objects properties stores"),
        "network": _words("quotas auto-allocated-topology vips health_monitors members"),
        "block-storage": _words("os-quota-sets os-quota-class-sets os-hosts capabilities group_specs"),
        "identity": _words(
            "services endpoints regions credentials policies registered_limits limits trusts mappings "
            "consumers identity_providers protocols service_providers application_credentials access_rules "
            "tenants"
        ),
        "placement": _words("resource_providers allocations traits resource_classes inventories"),
        "orchestration": _words("stacks software_configs software_deployments resources events"),
        "key-manager": _words("consumers acl"),
    }
)
"""Those beyond the routing's table, which has only what may be asked of several clouds."""

_BELOW: Mapping[str, str] = MappingProxyType(
    {
        "metadata": "key",
        "tags": "tag",
        "os-extra_specs": "key",
        "extra_specs": "key",
        "ips": "network_label",
        "members": "member_id",
        "os-volume_attachments": "volume_id",
        "os-interface": "port_id",
        "os-instance-actions": "request_id",
        "migrations": "migration_id",
        "allocation_candidates": "id",
        "inventories": "resource_class",
        "traits": "trait",
    }
)
"""What stands below an item, and what names its own items."""

_NAMED: Mapping[str, str] = MappingProxyType(
    {
        "os-keypairs": "keypair_name",
        "traits": "trait",
        "resource_classes": "resource_class",
        "os-quota-sets": "project_id",
        "os-simple-tenant-usage": "project_id",
        "quotas": "project_id",
        "tenants": "project_id",
    }
)
"""Collections whose items are called otherwise than the collection's name says."""

_NO_IDS = frozenset({"key", "tag", "network_label", "resource_class", "trait", "request_id", "object"})
"""What names something, but is no id that an answer told."""

_NOT_ITEMS = _words("detail summary default defaults statistics current")


def template(service: str, path: str) -> tuple[str, list[str]]:
    """The template of a path below a service's root, and the ids in it as they are, decoded."""
    parts = _AT_IDS.split(path)
    found = parts[1::2]
    text, places = _shape(service, "/{}".join(parts[::2]))
    if len(places) == len(found):
        return text, found
    segments = path.split("/")
    return text, [_decoded(segments[place]) for place in places]


def template_of_bytes(service: str, path: bytes) -> tuple[bytes, list[bytes]]:
    """The same of a path without braces and percent signs, in half the time."""
    parts = _AT_IDS_OF_BYTES.split(path)
    if len(parts) == 3:
        # As nearly all that have an id.
        before, found, behind = parts
        text, places = _shape_of_bytes(service, before + b"/{}" + behind)
        if places is None:
            return text, [found]
    else:
        text, places = _shape_of_bytes(service, b"/{}".join(parts[::2]))
        if places is None:
            return text, parts[1::2]
    segments = path.split(b"/")
    return text, [segments[place] for place in places]


@lru_cache(maxsize=KNOWN_AT_MOST)
def _shape_of_bytes(service: str, skeleton: bytes) -> tuple[bytes, tuple[int, ...] | None]:
    """The template, and which segments are ids, where others are than those cut out already."""
    text, places = _shape(service, skeleton.decode("latin-1"))
    cut_out = len(places) == skeleton.count(b"/{}")
    return text.encode("latin-1"), None if cut_out else places


@lru_cache(maxsize=KNOWN_AT_MOST)
def _shape(service: str, skeleton: str) -> tuple[str, tuple[int, ...]]:
    """The template, and which segments are ids: those cut out already, and perhaps others."""
    segments = skeleton.split("/")
    names = _object_store(segments) if service == "object-store" else _names(service, segments)
    # What looks like an id is one, whatever stands there.
    places = tuple(place for place, name in names.items() if segments[place] == _HOLE or name not in _NO_IDS)
    for place, name in names.items():
        segments[place] = f"{{{name}}}"
    return "/".join(segments), places


def _names(service: str, segments: Sequence[str]) -> dict[int, str]:
    """Segment -> what stands there, for those that are no words of the API."""
    collections, not_items = _collections(service)
    names: dict[int, str] = {}
    before, item = "", True
    """The segment before, and whether it was an item: then this one is none, but for an id."""
    for place, segment in enumerate(segments):
        if not segment or _VERSION.match(segment):
            before, item = segment, True
            continue
        named = ""
        if segment == _HOLE:
            named = _singular(before) if not item else ("project_id" if _VERSION.match(before) else "id")
        elif not item and segment not in not_items:
            if before in _BELOW and names:
                named = _BELOW[before]
            elif before in collections:
                named = _singular(before)
        if named:
            names[place] = named
        before, item = segment, bool(named)
    return names


def _object_store(segments: Sequence[str]) -> dict[int, str]:
    """`/v1/{account}/{container}/{object}`, where an object's name may hold slashes."""
    if len(segments) < 3 or not _VERSION.match(segments[1]):
        return {}
    names = ("account", "container", *("object" for _ in segments[4:]))
    return {
        place: name for place, name in zip(range(2, len(segments)), names, strict=False) if segments[place]
    }


@lru_cache(maxsize=64)
def _collections(service: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names of a service's collections, and what stands behind them and is no item."""
    table, more = TABLES.get(service), _COLLECTIONS.get(service, frozenset())
    if table is None:
        return more, _NOT_ITEMS
    if service == "identity":  # where `default` is the id of a domain
        return more | _texts(table.collections), frozenset()
    return more | _texts(table.collections), _NOT_ITEMS | _texts(table.views) | _texts(table.not_items)


def _texts(words: frozenset[bytes]) -> frozenset[str]:
    return frozenset(word.decode() for word in words)


def _singular(collection: str) -> str:
    """`servers` -> `server_id`."""
    known = _NAMED.get(collection) or _BELOW.get(collection)
    if known is not None:
        return known
    name = collection.removeprefix("os-").replace("-", "_")
    for end, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("s", "")):
        if name.endswith(end):
            name = name.removesuffix(end) + instead
            break
    return f"{name}_id" if name else "id"


def _decoded(segment: str) -> str:
    return unquote(segment) if "%" in segment else segment
