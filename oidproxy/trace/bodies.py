"""Bodies for requests whose trace has none: the least that each API takes, so that its call can be made."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.trace import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.trace.kinds import Kind

    Pick = Callable[[Kind], str | None]
    """An id of this kind that is there, to be named in a body; None where none is known."""

    Maker = Callable[["Wish"], Any | None]
    """None where it cannot be made sensibly."""

MERGE = "application/openstack-images-v2.1-json-patch"
"""What PATCH of an image takes (Image API v2, "Update image")."""

DATA = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a body is made from."""

    name: str
    """Of a new resource."""
    number: int
    """Another one for each request of a trace."""
    pick: Pick


def body_of(method: str, service: str, path: str, wish: Wish) -> Any | None:
    """JSON for this request, made up; None where nothing sensible can be."""
    maker = _MAKERS.get((method, service, _place(path)))
    return maker(wish) if maker else None


def needs(service: str, path: str) -> tuple[Kind, ...]:
    """Of which kinds something has to be there so that a POST to this collection can be made up."""
    return _NEEDS.get((service, _place(path)), ())


def takes_data(method: str, service: str, path: str) -> bool:
    """Whether the body is data rather than JSON: as many bytes of anything do."""
    if service == "object-store":
        return method in {"PUT", "POST"}
    return service == "image" and method == "PUT" and path.rstrip("/").endswith(("/file", "/stage"))


def goes_without(method: str, service: str, path: str) -> bool:
    """Whether this PUT or POST has no body at all, so that none is missing."""
    if method not in {"POST", "PUT", "PATCH"}:
        return True
    tail = path.rstrip("/").rsplit("/", 2)[-2:]
    return bool(
        (service == "image" and (tail[-1] in {"deactivate", "reactivate"} or "tags" in tail))
        or (service == "compute" and "tags" in tail)
        or (service == "identity" and "roles" in tail)
    )


def _place(path: str) -> str:
    """The collection of a POST; of another method, the collection and `*`."""
    segments = [one for one in path.split("/") if one]
    if segments and kinds.ID.fullmatch(segments[-1]):
        return f"{segments[-2] if len(segments) > 1 else ''}/*"
    return segments[-1] if segments else ""


def _server(wish: Wish) -> Any | None:
    image, flavor, network = wish.pick(kinds.IMAGE), wish.pick(kinds.FLAVOR), wish.pick(kinds.NETWORK)
    if not image or not flavor:
        return None
    server: dict[str, Any] = {"name": wish.name, "imageRef": image, "flavorRef": flavor}
    if network:
        server["networks"] = [{"uuid": network}]
    return {"server": server}


def _subnet(wish: Wish) -> Any | None:
    network = wish.pick(kinds.NETWORK)
    cidr = f"10.{wish.number // 256 % 256}.{wish.number % 256}.0/24"
    return network and {"subnet": {"name": wish.name, "network_id": network, "ip_version": 4, "cidr": cidr}}


def _port(wish: Wish) -> Any | None:
    network = wish.pick(kinds.NETWORK)
    return network and {"port": {"name": wish.name, "network_id": network}}


def _rule(wish: Wish) -> Any | None:
    group = wish.pick(kinds.GROUP)
    port = 1024 + wish.number % 60000
    return group and {
        "security_group_rule": {
            "security_group_id": group,
            "direction": "ingress",
            "ethertype": "IPv4",
            "protocol": "tcp",
            "port_range_min": port,
            "port_range_max": port,
        }
    }


def _snapshot(wish: Wish) -> Any | None:
    volume = wish.pick(kinds.VOLUME)
    return volume and {"snapshot": {"name": wish.name, "volume_id": volume, "force": True}}


def _attachment(wish: Wish) -> Any | None:
    volume = wish.pick(kinds.VOLUME)
    return volume and {"volumeAttachment": {"volumeId": volume}}


def _flavor(wish: Wish) -> Any:
    return {"flavor": {"name": wish.name, "ram": 512, "vcpus": 1, "disk": 1}}


def _image(wish: Wish) -> Any:
    return {"name": wish.name, "disk_format": "raw", "container_format": "bare"}


def _renamed_image(wish: Wish) -> Any:
    return [{"op": "replace", "path": "/name", "value": wish.name}]


def _named(key: str, **more: Any) -> Maker:
    return lambda wish: {key: {"name": wish.name, **more}}


_MAKERS: Mapping[tuple[str, str, str], Maker] = MappingProxyType(
    {
        ("POST", "image", "images"): _image,
        ("PATCH", "image", "images/*"): _renamed_image,
        ("POST", "compute", "servers"): _server,
        ("PUT", "compute", "servers/*"): _named("server"),
        ("POST", "compute", "flavors"): _flavor,
        ("POST", "compute", "os-keypairs"): _named("keypair"),
        ("POST", "compute", "os-volume_attachments"): _attachment,
        ("POST", "network", "networks"): _named("network"),
        ("PUT", "network", "networks/*"): _named("network"),
        ("POST", "network", "subnets"): _subnet,
        ("PUT", "network", "subnets/*"): _named("subnet"),
        ("POST", "network", "ports"): _port,
        ("PUT", "network", "ports/*"): _named("port"),
        ("POST", "network", "routers"): _named("router"),
        ("PUT", "network", "routers/*"): _named("router"),
        ("POST", "network", "security-groups"): _named("security_group"),
        ("PUT", "network", "security-groups/*"): _named("security_group"),
        ("POST", "network", "security-group-rules"): _rule,
        ("POST", "block-storage", "volumes"): _named("volume", size=1),
        ("PUT", "block-storage", "volumes/*"): _named("volume"),
        ("POST", "block-storage", "snapshots"): _snapshot,
        ("POST", "identity", "projects"): _named("project"),
    }
)

_NEEDS: Mapping[tuple[str, str], tuple[Kind, ...]] = MappingProxyType(
    {
        ("compute", "servers"): (kinds.IMAGE, kinds.FLAVOR, kinds.NETWORK),
        ("compute", "os-volume_attachments"): (kinds.VOLUME,),
        ("network", "subnets"): (kinds.NETWORK,),
        ("network", "ports"): (kinds.NETWORK,),
        ("network", "security-group-rules"): (kinds.GROUP,),
        ("block-storage", "snapshots"): (kinds.VOLUME,),
    }
)
