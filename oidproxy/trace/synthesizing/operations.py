"""What users may do: one request each, what it needs to be there, and what it makes or takes away."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of request. Path and body are filled in: `{project}`, `{name}`, `{server}` and the like."""

    method: str
    service: str
    path: str
    status: int
    bytes_out: int
    """About: what such an answer has."""
    needs: str = ""
    """Kind of a thing that the user has made; it is one that the path or body names …"""
    makes: str = ""
    """… and that it makes,"""
    takes: bool = False
    """… or that it takes away."""
    body: Any = None
    data: bool = False
    """It sends the data of an image."""
    query: str = ""
    shows: str = ""
    """Kind of what was there before, and that the answer names."""


def _lists(service: str, path: str, size: int, *, query: str = "", shows: str = "") -> Operation:
    return Operation("GET", service, path, 200, size, query=query, shows=shows)


def _shows(service: str, path: str, kind: str, size: int) -> Operation:
    return Operation("GET", service, f"{path}/{{{kind}}}", 200, size, needs=kind)


def _deletes(service: str, path: str, kind: str, status: int = 204) -> Operation:
    return Operation("DELETE", service, f"{path}/{{{kind}}}", status, 0, needs=kind, takes=True)


_SERVERS, _IMAGES, _VOLUMES = "/v2.1/servers", "/v2/images", "/v3/{project}/volumes"
_NETWORKS, _PORTS = "/v2.0/networks", "/v2.0/ports"
_GROUPS = "/v2.0/security-groups"

_SERVER = {
    "server": {
        "name": "{name}",
        "imageRef": "{base image}",
        "flavorRef": "{base flavor}",
        "networks": [{"uuid": "{base network}"}],
    }
}
_IMAGE = {"name": "{name}", "disk_format": "raw", "container_format": "bare"}

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "server-list": _lists("compute", f"{_SERVERS}/detail", 4000),
        "server-show": _shows("compute", _SERVERS, "server", 1900),
        "server-create": Operation("POST", "compute", _SERVERS, 202, 400, makes="server", body=_SERVER),
        "server-rename": Operation(
            "PUT",
            "compute",
            f"{_SERVERS}/{{server}}",
            200,
            1900,
            needs="server",
            body={"server": {"name": "{name}"}},
        ),
        "server-delete": _deletes("compute", _SERVERS, "server"),
        "flavor-list": _lists("compute", "/v2.1/flavors/detail", 3000, shows="flavor"),
        "image-list": _lists("image", _IMAGES, 3000, query="limit=20", shows="image"),
        "image-create": Operation("POST", "image", _IMAGES, 201, 700, makes="empty-image", body=_IMAGE),
        "image-upload": Operation(
            "PUT",
            "image",
            f"{_IMAGES}/{{empty-image}}/file",
            204,
            0,
            needs="empty-image",
            makes="image",
            takes=True,
            data=True,
        ),
        "image-show": _shows("image", _IMAGES, "image", 700),
        "image-download": Operation("GET", "image", f"{_IMAGES}/{{image}}/file", 200, -1, needs="image"),
        "image-delete": _deletes("image", _IMAGES, "image"),
        "image-abandon": _deletes("image", _IMAGES, "empty-image"),
        "volume-list": _lists("block-storage", f"{_VOLUMES}/detail", 2500),
        "volume-show": _shows("block-storage", _VOLUMES, "volume", 1100),
        "volume-create": Operation(
            "POST",
            "block-storage",
            _VOLUMES,
            202,
            800,
            makes="volume",
            body={"volume": {"name": "{name}", "size": 1}},
        ),
        "volume-delete": _deletes("block-storage", _VOLUMES, "volume", 202),
        "port-list": _lists("network", _PORTS, 2500),
        "port-show": _shows("network", _PORTS, "port", 900),
        "port-create": Operation(
            "POST",
            "network",
            _PORTS,
            201,
            900,
            makes="port",
            body={"port": {"name": "{name}", "network_id": "{base network}"}},
        ),
        "port-delete": _deletes("network", _PORTS, "port"),
        "network-list": _lists("network", _NETWORKS, 2000, shows="network"),
        "network-show": _shows("network", _NETWORKS, "network", 700),
        "network-create": Operation(
            "POST", "network", _NETWORKS, 201, 700, makes="network", body={"network": {"name": "{name}"}}
        ),
        "network-delete": _deletes("network", _NETWORKS, "network"),
        "security-group-list": _lists("network", _GROUPS, 3000),
        "security-group-create": Operation(
            "POST",
            "network",
            _GROUPS,
            201,
            1500,
            makes="security-group",
            body={"security_group": {"name": "{name}"}},
        ),
        "security-group-delete": _deletes("network", _GROUPS, "security-group"),
        "login": Operation(
            "POST",
            "identity",
            "/v3/auth/tokens",
            201,
            5000,
            body={
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {"user": {"name": "{user}", "domain": {"id": "default"}}},
                    },
                    "scope": {"project": {"id": "{project}"}},
                }
            },
        ),
    }
)
"""Name -> what it is."""

MAKES: Mapping[str, str] = MappingProxyType(
    {operation.makes: name for name, operation in OPERATIONS.items() if operation.makes}
)
"""Kind -> the operation that makes one."""

TAKES_AWAY: Mapping[str, str] = MappingProxyType(
    {one.needs: name for name, one in OPERATIONS.items() if one.method == "DELETE"}
)
"""Kind -> the operation that takes it away; servers first, what they use behind them."""

BEFORE: Mapping[str, str] = MappingProxyType({"image": "cirros", "flavor": "m1.tiny", "network": "private"})
"""Kind of what was there before the first request -> its name, unless the workload says another."""

SHOWING: Mapping[str, str] = MappingProxyType(
    {one.shows: name for name, one in OPERATIONS.items() if one.shows}
)
"""The same kinds -> the operation whose answer names it."""
