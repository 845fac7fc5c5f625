"""What a service may do at another cloud with a user's closed token: a table of method and path, no more.

By service alone would be too wide: whoever holds a user's token at the block-storage service could then
create servers in the user's name. Rows follow what Nova, Cinder, Glance and Neutron 2025.1 were seen to
send, or send by their source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.tokens.query import does_more

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID = r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}"
"""A UUID. Not just any segment: `volumes/detail` is every volume of the user."""
_PROJECT = r"(?:/[A-Za-z0-9_-]{1,64})?"
"""The project segment that block storage and compute have, or leave out since Yoga."""
_VERSIONS = re.compile(rb"/?|/v[0-9]+(?:\.[0-9]+)?/?")
"""Version documents: keystoneauth reads them before the first call, with its token, and they are public."""

OPTIONS = frozenset({"glance-download", "dns", "accelerator", "shared-file-system"})
"""The rows that are off unless the operator names them."""


@dataclass(frozen=True, slots=True)
class _Row:
    methods: frozenset[str]
    path: re.Pattern[bytes]
    option: str = ""

    def allows(self, method: str, rest: bytes, options: frozenset[str]) -> bool:
        return (
            method in self.methods
            and (not self.option or self.option in options)
            and self.path.fullmatch(rest) is not None
        )


def _rows(prefix: str, *lines: tuple[str, str], option: str = "") -> tuple[_Row, ...]:
    """One row per line of (methods, path below the version's prefix)."""
    return tuple(
        _Row(frozenset(methods.split()), re.compile(f"{prefix}{path}".encode()), option)
        for methods, path in lines
    )


_IMAGE = r"/v2(?:\.[0-9]+)?"
_COMPUTE = rf"/v2(?:\.[0-9]+)?{_PROJECT}"
_VOLUME = rf"/v3{_PROJECT}"
_NETWORK = r"/v2\.0"
_KEYS = r"/v1"
_NAME = r"(?:(?!%2[Ff])[^/])+"
"""One segment, also for a service that decodes the path before it splits it, as Swift does: with `%2F` for a
container, `/v1/AUTH_x/%2F` is the account itself."""
_OBJECTS = rf"/v1/{_NAME}"
_DNS = r"/v2"
_ACCELERATOR = r"/v2"
_SHARES = rf"/v2{_PROJECT}"

_IMAGE_WRITE = (
    ("POST", "/images"),
    ("PATCH", rf"/images/{_ID}"),
    ("PUT", rf"/images/{_ID}/file"),
)
_IMAGE_READ = (
    ("GET", "/schemas/[a-z]+"),
    ("GET", rf"/images/{_ID}"),
    ("GET", rf"/images/{_ID}/file"),
)
_SECRET_READ = (
    ("GET", rf"/secrets/{_ID}"),
    ("GET", rf"/secrets/{_ID}/payload"),
    ("GET", rf"/containers/{_ID}"),
)

_TABLE: Mapping[tuple[str, str], tuple[_Row, ...]] = MappingProxyType(
    {
        ("compute", "image"): _rows(
            _IMAGE,
            *_IMAGE_READ,
            *_IMAGE_WRITE,
            ("GET", "/images"),
            ("DELETE", rf"/images/{_ID}"),
        ),
        ("compute", "block-storage"): _rows(
            _VOLUME,
            ("POST", "/volumes"),
            ("GET DELETE", rf"/volumes/{_ID}"),
            ("POST", rf"/volumes/{_ID}/action"),
            ("POST", "/attachments"),
            ("PUT DELETE", rf"/attachments/{_ID}"),
            ("POST", rf"/attachments/{_ID}/action"),
            ("POST", "/snapshots"),
            ("GET DELETE", rf"/snapshots/{_ID}"),
            ("POST", rf"/snapshots/{_ID}/action"),
        ),
        ("compute", "network"): _rows(
            _NETWORK,
            ("GET", rf"/networks(?:/{_ID})?"),
            ("GET", "/quotas/[A-Za-z0-9_-]{1,64}"),
            ("GET POST", "/ports"),
            ("GET PUT DELETE", rf"/ports/{_ID}"),
            ("GET", rf"/security-groups(?:/{_ID})?"),
            ("GET", "/extensions(?:/[A-Za-z0-9_-]+)?"),
        ),
        ("compute", "key-manager"): _rows(_KEYS, *_SECRET_READ),
        ("compute", "accelerator"): _rows(
            _ACCELERATOR,
            ("GET", "/device_profiles(?:/[^/]+)?"),
            ("GET POST PATCH DELETE", "/accelerator_requests"),
            ("GET PATCH DELETE", rf"/accelerator_requests/{_ID}"),
            option="accelerator",
        ),
        ("compute", "shared-file-system"): _rows(
            _SHARES,
            ("GET", rf"/shares/{_ID}"),
            ("GET", rf"/shares/{_ID}/export_locations"),
            ("POST", rf"/shares/{_ID}/action"),
            ("GET", rf"/share-access-rules(?:/{_ID})?"),
            ("GET POST", "/resource-locks"),
            ("DELETE", rf"/resource-locks/{_ID}"),
            option="shared-file-system",
        ),
        ("block-storage", "image"): _rows(_IMAGE, *_IMAGE_READ, *_IMAGE_WRITE),
        ("block-storage", "compute"): _rows(
            _COMPUTE,
            ("GET", rf"/servers/{_ID}"),
            ("GET", rf"/servers/{_ID}/os-volume_attachments/{_ID}"),
        ),
        ("block-storage", "key-manager"): _rows(
            _KEYS,
            *_SECRET_READ,
            ("POST", "/secrets"),
            ("DELETE", rf"/secrets/{_ID}"),
            ("GET POST DELETE", rf"/secrets/{_ID}/consumers"),
            ("POST", "/orders"),
            ("GET", rf"/orders/{_ID}"),
        ),
        # Cinder's backup driver for Swift. Containers only, no account: so no list of what else the user
        # keeps.
        ("block-storage", "object-store"): _rows(
            _OBJECTS,
            ("GET PUT", f"/{_NAME}"),
            ("GET PUT DELETE", f"/{_NAME}/.+"),
        ),
        ("image", "image"): _rows(
            _IMAGE,
            ("GET", rf"/images/{_ID}"),
            ("GET", rf"/images/{_ID}/file"),
            option="glance-download",
        ),
        ("network", "dns"): _rows(
            _DNS,
            ("GET", "/zones"),
            ("GET", rf"/zones/{_ID}"),
            ("GET POST", rf"/zones/{_ID}/recordsets"),
            ("PUT DELETE", rf"/zones/{_ID}/recordsets/{_ID}"),
            option="dns",
        ),
    }
)


def may_call(
    audience_service: str,
    service_type: str,
    method: str,
    rest: bytes,
    options: frozenset[str] = frozenset(),
    *,
    query: bytes = b"",
) -> bool:
    """Whether a box made for `audience_service` may make this call.

    Services are official types; `rest` is the path below the service, `query` what follows its `?`.
    """
    if does_more(query):
        return False
    rows = _TABLE.get((audience_service, service_type), ())
    live = [row for row in rows if not row.option or row.option in options]
    if live and method == "GET" and _VERSIONS.fullmatch(rest):
        return True
    return any(row.allows(method, rest, options) for row in live)
