"""Ids in the bodies and paths of requests: which values name a resource, and of which kind.

Only values that an API documents as ids are looked at. What users wrote is theirs, whatever it looks like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\Z")

IMAGE = ("image", "images")
FLAVOR = ("compute", "flavors")
SERVER = ("compute", "servers")
SERVER_GROUP = ("compute", "os-server-groups")
VOLUME = ("block-storage", "volumes")
SNAPSHOT = ("block-storage", "snapshots")
BACKUP = ("block-storage", "backups")
NETWORK = ("network", "networks")
SUBNET = ("network", "subnets")
PORT = ("network", "ports")
SECURITY_GROUP = ("network", "security-groups")
SUBNET_POOL = ("network", "subnetpools")
ADDRESS_SCOPE = ("network", "address-scopes")

Named = tuple[str, str]
"""Service type and collection of what is named."""

_SERVER: Mapping[str, Named] = {
    "imageRef": IMAGE,
    "flavorRef": FLAVOR,
    "networks/*/uuid": NETWORK,
    "networks/*/port": PORT,
    "security_groups/*/name": SECURITY_GROUP,
    "block_device_mapping/*/volume_id": VOLUME,
    "block_device_mapping/*/snapshot_id": SNAPSHOT,
    "block_device_mapping_v2/*/image_id": IMAGE,
    "block_device_mapping_v2/*/volume_id": VOLUME,
    "block_device_mapping_v2/*/snapshot_id": SNAPSHOT,
}
_HINTS: Mapping[str, Named] = {"group": SERVER_GROUP, "same_host/*": SERVER, "different_host/*": SERVER}

_PATHS: Mapping[str, Mapping[str, Named]] = MappingProxyType(
    {
        "compute": {
            **{f"server/{path}": named for path, named in _SERVER.items()},
            **{f"os:scheduler_hints/{path}": named for path, named in _HINTS.items()},
            **{f"OS-SCH-HNT:scheduler_hints/{path}": named for path, named in _HINTS.items()},
            "rebuild/imageRef": IMAGE,
            "rescue/rescue_image_ref": IMAGE,
            "resize/flavorRef": FLAVOR,
            "addSecurityGroup/name": SECURITY_GROUP,
            "removeSecurityGroup/name": SECURITY_GROUP,
            "volumeAttachment/volumeId": VOLUME,
            "interfaceAttachment/net_id": NETWORK,
            "interfaceAttachment/port_id": PORT,
        },
        "block-storage": {
            "volume/imageRef": IMAGE,
            "volume/image_id": IMAGE,
            "volume/snapshot_id": SNAPSHOT,
            "volume/source_volid": VOLUME,
            "volume/backup_id": BACKUP,
            "os-reimage/image_id": IMAGE,
            "os-attach/instance_uuid": SERVER,
            "snapshot/volume_id": VOLUME,
            "backup/volume_id": VOLUME,
            "backup/snapshot_id": SNAPSHOT,
            "restore/volume_id": VOLUME,
        },
        "image": {"kernel_id": IMAGE, "ramdisk_id": IMAGE},
        "network": {
            "subnet/network_id": NETWORK,
            "subnet/subnetpool_id": SUBNET_POOL,
            "subnetpool/address_scope_id": ADDRESS_SCOPE,
            "port/network_id": NETWORK,
            "port/security_groups/*": SECURITY_GROUP,
            "port/fixed_ips/*/subnet_id": SUBNET,
            "port/device_id": SERVER,
            "router/external_gateway_info/network_id": NETWORK,
            "router/external_gateway_info/external_fixed_ips/*/subnet_id": SUBNET,
            # The bodies of add_router_interface and remove_router_interface have no member of their own.
            "subnet_id": SUBNET,
            "port_id": PORT,
            "floatingip/floating_network_id": NETWORK,
            "floatingip/port_id": PORT,
            "floatingip/subnet_id": SUBNET,
            "security_group_rule/security_group_id": SECURITY_GROUP,
            "security_group_rule/remote_group_id": SECURITY_GROUP,
            "trunk/port_id": PORT,
            "trunk/sub_ports/*/port_id": PORT,
            "sub_ports/*/port_id": PORT,
        },
    }
)

_BELOW: Mapping[tuple[str, str], Named] = MappingProxyType(
    {
        ("servers", "os-volume_attachments"): VOLUME,
        ("servers", "os-interface"): PORT,
    }
)
"""What the second id of a path names: `/servers/{id}/os-volume_attachments/{id}`."""

_SOURCES: Mapping[str, Named] = MappingProxyType({"image": IMAGE, "volume": VOLUME, "snapshot": SNAPSHOT})
_BY_NAME_TOO = frozenset({FLAVOR})
"""Ids of these have no form: Nova's own flavors have numbers."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that names a resource."""

    named: Named
    id: str


Replace = Callable[[Reference], str]
"""The id to be put in the place of a reference."""


def references(service_type: str, document: object) -> tuple[Reference, ...]:
    """What the body of a request to this service names, each once."""
    found: dict[Reference, None] = {}

    def note(reference: Reference) -> str:
        found[reference] = None
        return reference.id

    replaced(service_type, document, note)
    return tuple(found)


def replaced(service_type: str, document: object, replace: Replace) -> Any:  # noqa: ANN401 - JSON of any shape
    """The document with other ids. What is not replaced is the same object."""
    for path, named in _PATHS.get(service_type, {}).items():
        document = _walked(document, tuple(path.split("/")), named, replace)
    if service_type == "compute":
        document = _devices(document, replace)
    return document


def translated(service_type: str, document: object, ids: Mapping[Reference, str]) -> bytes:
    """The body of a request for a cloud that knows what it names by these ids."""
    return json.dumps(replaced(service_type, document, lambda one: ids.get(one, one.id))).encode()


def below(name: str, path: bytes) -> tuple[Reference, ...]:
    """What the path below an item names: `/os-interface/<id>` below a server."""
    segments = path.decode("latin-1").strip("/").split("/")
    named = _BELOW.get((name, segments[0])) if len(segments) > 1 else None
    return (Reference(named, segments[1]),) if named is not None and UUID.match(segments[1]) else ()


def _walked(holder: Any, path: tuple[str, ...], named: Named, replace: Replace) -> Any:  # noqa: ANN401
    if not path:
        return _value(holder, named, replace)
    step, rest = path[0], path[1:]
    if step == "*":
        if isinstance(holder, list):
            return [_walked(one, rest, named, replace) for one in holder]
        # Scheduler hints are a list or a single value.
        return _walked(holder, rest, named, replace) if not rest else holder
    if not isinstance(holder, dict) or step not in holder:
        return holder
    inner = _walked(holder[step], rest, named, replace)
    return holder if inner is holder[step] else {**holder, step: inner}


def _value(value: Any, named: Named, replace: Replace) -> Any:  # noqa: ANN401 - JSON of any shape
    if not isinstance(value, str) or not value:
        return value
    # imageRef and flavorRef may be URLs that end with the id.
    start, slash, last = value.rpartition("/")
    if not (UUID.match(last) or named in _BY_NAME_TOO):
        return value
    other = replace(Reference(named, last))
    return value if other == last else start + slash + other


def _devices(document: Any, replace: Replace) -> Any:  # noqa: ANN401 - JSON of any shape
    """Block devices say beside the id what kind it is of."""
    server = document.get("server") if isinstance(document, dict) else None
    if not isinstance(server, dict) or not isinstance(server.get("block_device_mapping_v2"), list):
        return document
    devices = server["block_device_mapping_v2"]
    changed = [_device(one, replace) for one in devices]
    return {**document, "server": {**server, "block_device_mapping_v2": changed}}


def _device(device: Any, replace: Replace) -> Any:  # noqa: ANN401 - JSON of any shape
    named = _SOURCES.get(str(device.get("source_type"))) if isinstance(device, dict) else None
    if named is None or "uuid" not in device:
        return device
    return {**device, "uuid": _value(device["uuid"], named, replace)}
