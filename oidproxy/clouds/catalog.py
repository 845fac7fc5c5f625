"""A cloud's own service catalog, as its Keystone gave it, to endpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from oidproxy.clouds.addresses import PROJECT_ID, location
from oidproxy.clouds.registry import Endpoint
from oidproxy.scope.services import official

if TYPE_CHECKING:
    from collections.abc import Iterator


class CatalogEndpoint(msgspec.Struct, frozen=True):
    """One endpoint of a token's catalog (Identity API v3, "Authentication and token management")."""

    url: str
    interface: str = "public"
    region: str | None = None
    region_id: str | None = None
    """The same; Keystone sends both, some others only one of them."""


class CatalogService(msgspec.Struct, frozen=True):
    """One service of a token's catalog."""

    type: str
    name: str = ""
    endpoints: list[CatalogEndpoint] = []


class Learned(msgspec.Struct, frozen=True):
    """What one cloud and its entry of clouds.yaml said.

    `error` says why there is no catalog; it shows no secret.
    """

    cloud: str
    error: str = ""
    auth_url: str = ""
    region: str = ""
    """The entry's region; empty if it names none."""
    cacert: str = ""
    """Path of the entry's certificate authorities."""
    insecure: bool = False
    project_id: str = ""
    """The project that the credentials are scoped to: it stands in the catalog's URLs."""
    catalog: list[CatalogService] = []


class Unreadable(msgspec.Struct, frozen=True):
    """A catalog entry that no request can be sent to."""

    service_type: str
    url: str
    message: str


def endpoints(learned: Learned, region: str) -> Iterator[Endpoint | Unreadable]:
    """The catalog's endpoints, in its order; `region` is for those that name none."""
    for service in learned.catalog:
        for listed in service.endpoints:
            yield _endpoint(learned, service, listed, region)


def regions(learned: Learned) -> tuple[str, ...]:
    """The regions of the catalog's public endpoints, in its order."""
    listed = (one for service in learned.catalog for one in service.endpoints if one.interface == "public")
    return tuple(dict.fromkeys(filter(None, (one.region or one.region_id for one in listed))))


def _endpoint(
    learned: Learned, service: CatalogService, listed: CatalogEndpoint, region: str
) -> Endpoint | Unreadable:
    try:
        found = location(_template(listed.url, learned.project_id))
    except ValueError as error:
        return Unreadable(service.type, listed.url, str(error))
    return Endpoint(
        cloud=learned.cloud,
        service_type=official(service.type),
        origin=found.origin,
        root=found.root,
        suffix=found.suffix,
        region=listed.region or listed.region_id or region,
        interface=listed.interface,
        catalog_type=service.type,
        catalog_name=service.name,
        source="learned",
    )


def _template(url: str, project_id: str) -> str:
    """The URL with the project id that Keystone filled in replaced by its template again.

    Only behind the host, and only where no letter or digit touches it: `AUTH_<id>` of object storage is one.
    """
    if not project_id:
        return url
    head, found, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    own = re.compile(rf"(?<![0-9A-Za-z]){re.escape(project_id)}(?![0-9A-Za-z])")
    return head + found + host + slash + own.sub(PROJECT_ID, path)
