"""What of an image a client may set, at creation and by JSON patch: checked and turned into attributes."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.sim.faults import ApiError
from oidproxy.sim.glance.model import VISIBILITIES, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Document

TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "name": (str, type(None)),
        "visibility": (str,),
        "protected": (bool,),
        "os_hidden": (bool,),
        "disk_format": (str, type(None)),
        "container_format": (str, type(None)),
        "min_disk": (int,),
        "min_ram": (int,),
        "tags": (list,),
    }
)
"""Settable attribute -> the JSON types that it may have."""
READ_ONLY = frozenset(
    {
        "id", "status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "created_at",
        "updated_at", "self", "file", "schema", "direct_url", "locations", "stores", "owner",
    }
)  # fmt: skip
PATCH_TYPES = frozenset(
    {"application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch"}
)


def of_new(caller: Caller, given: Document) -> dict[str, Any]:
    """The attributes of an image to be created; 400 for wrong types, 403 for what the caller may not set."""
    attributes = {key: value for key, value in given.items() if key not in {"id", "owner"}}
    if "owner" in given and given["owner"] != caller.project_id and not caller.is_admin:
        raise ApiError(403, "Attribute 'owner' is read-only.")
    return _split(caller, attributes, {})


def patched(caller: Caller, image: Image, operations: object) -> dict[str, Any]:
    """The attributes that a JSON patch (RFC 6902) changes."""
    if not isinstance(operations, list):
        raise ApiError(400, "Request body must be a JSON array of operation objects.")
    changed: dict[str, Any] = {}
    properties = dict(image.properties)
    for operation in operations:
        name, verb = _path(operation), operation.get("op")
        if name in READ_ONLY:
            raise ApiError(403, f"Attribute '{name}' is read-only.")
        if verb == "remove":
            _remove(properties, name)
        elif verb in {"add", "replace"} and "value" in operation:
            if verb == "replace" and name not in TYPES and name not in properties:
                raise ApiError(409, f"Property {name} does not exist.")
            (changed if name in TYPES else properties)[name] = operation["value"]
        else:
            raise ApiError(400, "Operations must be add, replace or remove.")
    return _split(caller, changed, properties)


def _remove(properties: dict[str, Any], name: str) -> None:
    if name in TYPES:
        raise ApiError(403, f"Property {name} may not be removed.")
    if name not in properties:
        raise ApiError(409, f"Property {name} does not exist.")
    del properties[name]


def _path(operation: object) -> str:
    path = operation.get("path") if isinstance(operation, dict) else None
    if not isinstance(path, str) or not path.startswith("/") or "/" in path[1:]:
        raise ApiError(400, "Operation objects must have a path of one member.")
    # RFC 6901 section 4: ~1 is a slash and ~0 a tilde, in this order.
    return path[1:].replace("~1", "/").replace("~0", "~")


def _split(caller: Caller, given: Document, properties: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for name, value in given.items():
        if name in READ_ONLY:
            raise ApiError(403, f"Attribute '{name}' is read-only.")
        if name in TYPES:
            _check(caller, name, value)
            attributes[name] = tuple(dict.fromkeys(value)) if name == "tags" else value
        else:
            properties[name] = value
    for name, value in properties.items():
        if not isinstance(value, str):
            raise ApiError(
                400, f"Provided object does not match schema 'image': {name!r} is not of type 'string'"
            )
    return {**attributes, "properties": MappingProxyType(properties)}


def _check(caller: Caller, name: str, value: object) -> None:
    wrong = not isinstance(value, TYPES[name]) or (isinstance(value, bool) and bool not in TYPES[name])
    if wrong or (name == "visibility" and value not in VISIBILITIES):
        raise ApiError(400, f"Provided object does not match schema 'image': bad value for '{name}'")
    if name == "visibility" and value == "public" and not caller.is_admin:
        raise ApiError(403, "You are not authorized to complete publicize_image action.")
