"""What a path at the proxy stands for: one of our own pages, or a service with the rest of the path.

`http.target` has refused dot segments and backslashes; the rest goes upstream byte for byte (checklist B6).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from oidproxy.errors import NoSuchPath
from oidproxy.quickly import quickly
from oidproxy.routing.decision import Arrival, Page
from oidproxy.scope.nearest import nearest
from oidproxy.scope.services import known, official

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.registry import Registry

SCOPED = b"/s/"
"""What stands before a scope in a URL."""

PAGES: Mapping[bytes, Page] = MappingProxyType(
    {
        b"/healthcheck": Page.HEALTHCHECK,
        b"/.well-known/openstack/api": Page.PROFILE,
        b"/.well-known/oidproxy/clouds": Page.CLOUDS,
        b"/.well-known/oidproxy/explain": Page.EXPLAIN,
        b"/.well-known/oidproxy/locate": Page.LOCATE,
        b"/.well-known/oidproxy/resources": Page.RESOURCES,
    }
)

REQUESTS = b"/.well-known/oidproxy/requests/"
"""What stands before the id of a request that somebody asks about."""

_PERCENT = ord("%")


@quickly
@dataclass(frozen=True, slots=True)
class Place:
    """What a path stands for: exactly one of `page` and `service_type` is given."""

    page: Page | None = None
    service_type: str = ""
    """Official type; some cloud has it, or the port that was asked stands for it."""
    rest: bytes = b"/"
    """The path below the service; never empty, and what a client left out is `/`. Of a page that is about
    something, what it is about."""


def split_scope(path: bytes) -> tuple[bytes | None, bytes]:
    """The segment of `/s/<scope>` (None where there is none) and the path below it, which may be empty."""
    if not path.startswith(SCOPED):
        return None, path
    segment, slash, below = path[len(SCOPED) :].partition(b"/")
    return segment, slash + below


def locate(below: bytes, arrival: Arrival, registry: Registry, *, scoped: bool) -> Place:
    """What a path without its scope stands for on this port.

    A gateway port finds the service in the path. A port that stands for one service takes a path as that
    service's own, and behind a scope also `/<service>/…` of any other.

    Raises:
        NoSuchPath: nothing is served there.
    """
    page = PAGES.get(below)
    if page is not None:
        return Place(page)
    if below.startswith(REQUESTS):
        return Place(Page.REQUESTS, rest=below[len(REQUESTS) :])
    if arrival.service_type is None:
        return _by_path(below, registry)
    if scoped:
        named, rest = _split_service(below)
        if _is_served(named, registry):
            return Place(None, named, rest)
    return Place(None, arrival.service_type, below or b"/")


def _split_service(below: bytes) -> tuple[str, bytes]:
    name, slash, rest = below[1:].partition(b"/")
    return official(name.decode("latin-1")), slash + rest or b"/"


def _by_path(below: bytes, registry: Registry) -> Place:
    service_type, rest = _split_service(below)
    if not _is_served(service_type, registry):
        raise NoSuchPath(_served(service_type, registry))
    return Place(None, service_type, rest)


def _is_served(service_type: str, registry: Registry) -> bool:
    """Whether some cloud has it, or may have it: what an unlearned cloud lacks is unknown, not absent."""
    if service_type in registry.service_types:
        return True
    return known(service_type) and any(cloud.unlearned for cloud in registry.clouds.values())


def _served(asked: str, registry: Registry) -> str:
    """What could have been meant. The request itself is not echoed."""
    types = sorted(registry.service_types)
    close = nearest(asked, types)
    hint = f" Did you mean /{close}?" if close else ""
    if asked in {"v3", "v2.0"}:
        hint = " An auth URL ends in /identity/v3 here."
    return (
        f"No service is served under this path.{hint} Served are "
        f"{', '.join(f'/{name}' for name in types)}, each also behind /s/<scope>."
    )


def segments(rest: bytes) -> tuple[bytes, ...]:
    """The path below a service as the service's own server will read it: percent-decoded, no empty segments.

    For recognizing calls, never for forwarding: WSGI servers decode the path before they route it, so
    `/v3/auth/%74okens` is a call for tokens too.
    """
    plain = unquote_to_bytes(rest) if _PERCENT in rest else rest
    return tuple(part for part in plain.split(b"/") if part)
