"""An image as its Glance describes it: what of it a copy has to have, and when a copy is as good as it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

SOURCE = "oidproxy_source"
"""The property of a copy that says where it came from: `<cloud>/<id>`."""

LEFT_OUT = "oidproxy_left_out"
"""The property of a copy that names, with commas, those of the original that its cloud did not take."""

PARTS = ("kernel_id", "ramdisk_id")
"""Properties that name further images, which have to come along."""

BOUND = frozenset(
    {
        # Secrets of the original's cloud, without which the copy could not be used.
        "cinder_encryption_key_id",
        "hw_ephemeral_encryption_secret_uuid",
        "img_signature_certificate_uuid",
        # Volumes, snapshots and devices that Nova attaches to a server of this image, and deletes with it
        # (nova.compute.api, _get_image_defined_bdms): whoever made the image would choose among those of the
        # user at the other cloud.
        "bdm_v2",
        "block_device_mapping",
        "img_bdm_v2",
        "img_block_device_mapping",
        "img_mappings",
        "img_root_device_name",
        "mappings",
        "root_device_name",
    }
)
"""Properties that name secrets, volumes or devices of the original's cloud: such an image stays there."""

NOT_TAKEN = frozenset({"base_image_ref"})
"""Properties that a copy does not get: Nova notes here what a snapshot was made of, and rescues its servers
with the image of this id (nova.compute.manager, _get_rescue_image), which is another cloud's."""

HALF = frozenset({"queued", "saving", "killed"})
"""States of an image that is not complete (Image API v2, image status)."""

# Image API v2, image schema: what is not here is a property of the image's owner.
_SCHEMA = frozenset(
    {
        "checksum",
        "container_format",
        "created_at",
        "direct_url",
        "disk_format",
        "file",
        "id",
        "locations",
        "min_disk",
        "min_ram",
        "name",
        "os_hash_algo",
        "os_hash_value",
        "os_hidden",
        "owner",
        "protected",
        "schema",
        "self",
        "size",
        "status",
        "stores",
        "tags",
        "updated_at",
        "virtual_size",
        "visibility",
    }
)
_RESERVED = "os_glance"
"""Glance's own notes on an image, which nobody else may write (glance.api.v2.images)."""

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Image:
    """One image of one cloud."""

    id: str
    status: str = ""
    name: str | None = None
    owner: str = ""
    size: int | None = None
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    hash_algorithm: str = ""
    hash_value: str = ""
    properties: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """Its owner's own and the `hw_…` kind; not ours."""
    source: str = ""
    left_out: frozenset[str] = frozenset()
    changed: float | None = None
    """When its cloud says that it was changed last, in seconds since the epoch."""

    @classmethod
    def of(cls, document: object) -> Image | None:
        """The image of this document; None if it is none."""
        if not isinstance(document, Mapping) or not isinstance(document.get("id"), str):
            return None
        properties = {
            name: value
            for name, value in document.items()
            if name not in _SCHEMA and name not in (SOURCE, LEFT_OUT) and not name.startswith(_RESERVED)
        }
        size = document.get("size")
        return cls(
            id=document["id"],
            status=_text(document, "status"),
            name=_text(document, "name") or None,
            owner=_text(document, "owner"),
            size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
            disk_format=_text(document, "disk_format") or None,
            container_format=_text(document, "container_format") or None,
            min_disk=_number(document, "min_disk"),
            min_ram=_number(document, "min_ram"),
            hash_algorithm=_text(document, "os_hash_algo"),
            hash_value=_text(document, "os_hash_value"),
            properties=MappingProxyType(properties),
            source=_text(document, SOURCE),
            left_out=frozenset(_text(document, LEFT_OUT).split(",")) - {""},
            changed=_time(_text(document, "updated_at")),
        )

    @property
    def bound(self) -> list[str]:
        """The names of its properties that bind it to its cloud, however they are spelled."""
        return sorted(name for name in self.properties if name.lower() in BOUND)

    def same_data(self, other: Image) -> bool:
        """Whether both hold the same bytes, by the hash that their clouds made of them."""
        return (
            self.hash_value != ""
            and (self.hash_algorithm, self.hash_value) == (other.hash_algorithm, other.hash_value)
            and (self.size is None or other.size is None or self.size == other.size)
        )

    def serves_for(self, original: Image) -> bool:
        """Whether this one can be used in the place of the original."""
        return (
            self.status == "active"
            and self.same_data(original)
            and self._form() == original._form()
            and dict(self.properties) == _without(original.properties, self.left_out)
        )

    def as_new(self, image_id: str, source: str, left_out: frozenset[str]) -> dict[str, Any]:
        """What makes a copy of it, with this id."""
        made: dict[str, Any] = {
            **_without(self.properties, left_out),
            "id": image_id,
            "name": self.name,
            # Nobody but its owner may see it; the original's visibility is the original's.
            "visibility": "private",
            "disk_format": self.disk_format,
            "container_format": self.container_format,
            "min_disk": self.min_disk,
            "min_ram": self.min_ram,
            SOURCE: source,
        }
        return made | ({LEFT_OUT: ",".join(sorted(left_out))} if left_out else {})

    def _form(self) -> tuple[object, ...]:
        return self.disk_format, self.container_format, self.min_disk, self.min_ram


def _without(properties: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in names}


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _number(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    return value if isinstance(value, int) else 0


def _time(text: str) -> float | None:
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (told if told.tzinfo is not None else told.replace(tzinfo=UTC)).timestamp()
