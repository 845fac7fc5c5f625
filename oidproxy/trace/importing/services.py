"""Which service a URL is one of, and the path below that service's root."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.standard import PORTS
from oidproxy.routing.resources import TABLES
from oidproxy.scope.services import known, official

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_VERSION = re.compile(r"v\d+(?:\.\d+)?\Z")

_BY_PORT: Mapping[int, str] = MappingProxyType({port: service for service, port in PORTS.items()})

_NICKNAMES: Mapping[str, str] = MappingProxyType({"networking": "network", "volume": "block-storage"})
"""What DevStack calls services in its paths, beside types and projects."""

_FIRST = ("compute", "network", "block-storage", "identity", "image")
"""Whose word counts first where a collection is several services' (flavors, images)."""

_OWN: Mapping[str, str] = MappingProxyType(
    {
        "auth": "identity",
        "tokens": "identity",
        "tenants": "identity",
        "schemas": "image",
        "tasks": "image",
        "metadefs": "image",
        "extensions": "network",
        "quotas": "network",
        "limits": "compute",
        "os-availability-zone": "compute",
        "os-volume_attachments": "compute",
        "os-quota-sets": "compute",
        "stacks": "orchestration",
        "resource_providers": "placement",
        "allocation_candidates": "placement",
        "allocations": "placement",
    }
)
"""Collections that no table has, and whose they are."""

_OF_VERSION: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("v2.1", "images"): "compute",
        ("v2", "images"): "image",
        ("v1", "images"): "image",
        ("v3", "types"): "block-storage",
        ("v3", "limits"): "block-storage",
        ("v3", "os-quota-sets"): "block-storage",
        ("v3", "groups"): "identity",
    }
)


def place_of(path: str, port: int | None) -> tuple[str, str, bool]:
    """Official type, path below the root, and whether the type was guessed from the path's own words.

    The type is empty where it cannot be told; then the path is as it was.
    """
    segments = path.split("/")
    at = 3 if len(segments) > 3 and segments[1] == "s" else 1
    """Behind this proxy's own `/s/<scope>`."""
    named = segments[at] if len(segments) > at else ""
    service = _NICKNAMES.get(named) or (official(named) if named and known(named) else "")
    if service and not _is_collection(named):
        return service, _below(["", *segments[at + 1 :]]), False
    if port is not None and port in _BY_PORT:
        return _BY_PORT[port], _below(segments), False
    guessed = _guessed(segments)
    return guessed, _below(segments) if guessed else path, bool(guessed)


def _is_collection(word: str) -> bool:
    """Whether a word that names a service is a collection's, too, at the root of none that has versions."""
    return word in _OWN


def _below(segments: Sequence[str]) -> str:
    """From the version on; what stands before it is the service's root."""
    for place, segment in enumerate(segments):
        if _VERSION.match(segment):
            return "/" + "/".join(segments[place:])
    return "/".join(segments) or "/"


def _guessed(segments: Sequence[str]) -> str:
    version = next((one for one in segments if _VERSION.match(one)), "")
    for segment in segments:
        found = _OF_VERSION.get((version, segment)) or _of_collection(segment)
        if found:
            return found
    return ""


def _of_collection(segment: str) -> str:
    if segment in _OWN:
        return _OWN[segment]
    word = segment.encode("utf-8", "surrogateescape")
    for service in (*_FIRST, *TABLES):
        if word in TABLES[service].collections:
            return service
    return ""
