"""The JSON schemas that Glance serves: glanceclient builds its model of an image from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.sim.messages import Document

_TEXT: Document = {"type": ["null", "string"]}
_READ_ONLY_TEXT: Document = {"type": ["null", "string"], "readOnly": True}
_READ_ONLY_NUMBER: Document = {"type": ["null", "integer"], "readOnly": True}

IMAGE: Document = {
    "name": "image",
    "properties": {
        "id": {"type": "string"},
        "name": {**_TEXT, "maxLength": 255},
        "status": {**_READ_ONLY_TEXT, "type": "string"},
        "visibility": {"type": "string", "enum": ["community", "public", "private", "shared"]},
        "protected": {"type": "boolean"},
        "os_hidden": {"type": "boolean"},
        "checksum": _READ_ONLY_TEXT,
        "os_hash_algo": _READ_ONLY_TEXT,
        "os_hash_value": _READ_ONLY_TEXT,
        "owner": _TEXT,
        "size": _READ_ONLY_NUMBER,
        "virtual_size": _READ_ONLY_NUMBER,
        "container_format": {**_TEXT, "enum": [None, "ami", "ari", "aki", "bare", "ovf", "ova", "docker"]},
        "disk_format": {
            **_TEXT,
            "enum": [None, "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"],
        },
        "created_at": {**_READ_ONLY_TEXT, "type": "string"},
        "updated_at": {**_READ_ONLY_TEXT, "type": "string"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}},
        "min_ram": {"type": "integer"},
        "min_disk": {"type": "integer"},
        "self": {**_READ_ONLY_TEXT, "type": "string"},
        "file": {**_READ_ONLY_TEXT, "type": "string"},
        "schema": {**_READ_ONLY_TEXT, "type": "string"},
    },
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}
MEMBER: Document = {
    "name": "member",
    "properties": {
        "member_id": {"type": "string"},
        "image_id": {"type": "string"},
        "status": {"type": "string", "enum": ["pending", "accepted", "rejected"]},
        "created_at": {"type": "string"},
        "updated_at": {"type": "string"},
        "schema": {"type": "string", "readOnly": True},
    },
}


def _collection(name: str, item: Document) -> Document:
    return {
        "name": name,
        "properties": {
            name: {"type": "array", "items": item},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}],
    }


SCHEMAS: Document = {
    "image": IMAGE,
    "images": _collection("images", IMAGE),
    "member": MEMBER,
    "members": _collection("members", MEMBER),
}
