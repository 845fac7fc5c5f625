"""Finding an endpoint in a catalog, as a service's client library does: by type, region and interface."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from os_service_types import ServiceTypes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.sim.messages import Document

INTERFACES = ("internal", "public")
"""What the services' `valid_interfaces` options say by default, in order of preference."""


class EndpointNotFoundError(Exception):
    """The catalog has no such endpoint."""


@lru_cache(maxsize=64)
def names_of(service_type: str) -> frozenset[str]:
    """The official type and every alias that a catalog may show it under."""
    types = ServiceTypes()
    official = types.get_service_type(service_type) or service_type
    return frozenset({official, *types.get_aliases(official)})


def find(
    catalog: Iterable[Document], types: frozenset[str], region: str, interfaces: tuple[str, ...] = INTERFACES
) -> str:
    """The URL of an endpoint of one of these types, without a slash at its end; an empty region matches
    any."""
    endpoints = [
        endpoint
        for service in catalog
        if service.get("type") in types
        for endpoint in service.get("endpoints", ())
        if not region or region in {endpoint.get("region"), endpoint.get("region_id")}
    ]
    for interface in interfaces:
        for endpoint in endpoints:
            if endpoint.get("interface") == interface:
                url: str = endpoint["url"]
                return url.rstrip("/")
    raise EndpointNotFoundError(
        f"{'/'.join(interfaces)} endpoint for {min(types)} in {region or 'any'} region"
    )
