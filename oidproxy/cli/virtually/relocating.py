"""A registry as virtual time needs it: each service at an address of its own, without TLS and names."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.endpoints import index
from oidproxy.clouds.registry import Cloud, Endpoint, Origin, Registry
from oidproxy.clouds.standard import CORE, STANDARD

if TYPE_CHECKING:
    from oidproxy.clouds.rtt import RoundTrips

FIRST_PORT = 20_000
"""For services whose standard port another endpoint of the same cloud has, or who have none."""


def relocated(registry: Registry, rtt: RoundTrips | None = None) -> Registry:
    """The same clouds at invented addresses, and with these round trips where some are given.

    A cloud whose endpoints are not known has the core services: nobody is asked.
    """
    clouds = {name: _moved(cloud) for name, cloud in registry.clouds.items()}
    indexed = {
        (name, service_type): found
        for name, cloud in clouds.items()
        for service_type, found in index(cloud.endpoints, cloud.region).items()
    }
    return replace(
        registry,
        clouds=MappingProxyType(clouds),
        listeners=tuple(replace(listener, tls=None) for listener in registry.listeners),
        rtt=registry.rtt if rtt is None else rtt,
        index=MappingProxyType(indexed),
        service_types=frozenset(service_type for _, service_type in indexed),
    )


def address_of(position: int) -> str:
    """Of the cloud at this place in the order declared."""
    return f"10.{position >> 16 & 255}.{position >> 8 & 255}.{position & 255}"


def _moved(cloud: Cloud) -> Cloud:
    address = address_of(cloud.position)
    known = {endpoint.service_type for endpoint in cloud.endpoints if endpoint.interface == "public"}
    endpoints = list(cloud.endpoints)
    if cloud.unlearned:
        endpoints += [
            Endpoint(
                cloud.name,
                name,
                Origin("http", address, 0),
                suffix=STANDARD[name].suffix,
                region=cloud.region,
            )
            for name in CORE
            if name not in known
        ]
    taken: set[int] = set()
    moved = []
    for endpoint in endpoints:
        port = STANDARD[endpoint.service_type].port if endpoint.service_type in STANDARD else FIRST_PORT
        while port in taken:
            port = max(port + 1, FIRST_PORT)
        taken.add(port)
        moved.append(replace(endpoint, origin=Origin("http", address, port)))
    return replace(
        cloud,
        endpoints=tuple(moved),
        cacert=None,
        insecure=False,
        unlearned="",
        auth_url=f"http://{address}:5000/v3",
    )
