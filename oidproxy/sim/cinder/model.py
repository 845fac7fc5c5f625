"""Volumes of one Cinder, their attachments and snapshots; the bytes are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.sim.faults import ApiError
from oidproxy.sim.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Document
    from oidproxy.sim.sources import Sources

TRANSITIONS = MappingProxyType(
    {
        ("creating", "created"): "available",
        ("creating", "download"): "downloading",
        ("downloading", "created"): "available",
        ("creating", "fail"): "error",
        ("downloading", "fail"): "error",
        ("available", "reserve"): "reserved",
        ("available", "connect"): "attaching",
        ("reserved", "connect"): "attaching",
        ("attaching", "complete"): "in-use",
        ("reserved", "detach"): "available",
        ("attaching", "detach"): "available",
        ("in-use", "detach"): "available",
        ("detaching", "detach"): "available",
        ("in-use", "begin_detaching"): "detaching",
        ("detaching", "roll_detaching"): "in-use",
        ("available", "upload"): "uploading",
        ("uploading", "uploaded"): "available",
        ("available", "extend"): "available",
        ("available", "delete"): "deleting",
        ("error", "delete"): "deleting",
    }
)
"""(status, event) -> status. What is not here is refused."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume. `blob` names its bytes where it was made of an image or of another volume."""

    id: str
    project_id: str
    user_id: str
    size: int
    created: float
    updated: float
    name: str = ""
    description: str | None = None
    status: str = "creating"
    volume_type: str = "lvmdriver-1"
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    image_metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bootable: bool = False
    snapshot_id: str | None = None
    source_id: str | None = None
    blob: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A volume's use by a server."""

    id: str
    volume_id: str
    server_id: str
    created: float
    status: str = "reserved"
    host: str = ""
    device: str = ""
    connector: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


class Cinder:
    """The state of one Cinder."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.types = Table("Volume type %s could not be found.")
        self.snapshots = Table("Snapshot %s could not be found.")
        self._volumes: dict[str, Volume] = {}
        self._attachments: dict[str, Attachment] = {}

    def volumes(self) -> list[Volume]:
        """Newest first."""
        return list(reversed(self._volumes.values()))

    def add(self, volume: Volume) -> Volume:
        """A new volume."""
        self._volumes[volume.id] = volume
        return volume

    def get(self, identity: str) -> Volume:
        """A volume; 404 when there is none."""
        try:
            return self._volumes[identity]
        except KeyError:
            raise ApiError(404, f"Volume {identity} could not be found.") from None

    def seen(self, caller: Caller, identity: str) -> Volume:
        """A volume of the caller's project, or any for administrators; else 404."""
        volume = self.get(identity)
        if volume.project_id != caller.project_id and not caller.is_admin:
            raise ApiError(404, f"Volume {identity} could not be found.")
        return volume

    def change(self, identity: str, **values: Any) -> Volume:
        """Replace some attributes."""
        return self.add(replace(self.get(identity), updated=self.sources.now(), **values))

    def move(self, identity: str, event: str, **values: Any) -> Volume:
        """Let an event happen to a volume; 400 when its state does not allow it, as Cinder has it."""
        volume = self.get(identity)
        status = TRANSITIONS.get((volume.status, event))
        if status is None:
            raise ApiError(
                400, f"Invalid volume: Volume {identity} status must allow {event}, but is {volume.status}."
            )
        return self.change(identity, status=status, **values)

    def remove(self, identity: str) -> None:
        """Forget a volume and its attachments."""
        del self._volumes[identity]
        for attachment in self.attachments(identity):
            del self._attachments[attachment.id]

    def attachments(self, volume_id: str = "") -> list[Attachment]:
        """Those of a volume, or all."""
        return [one for one in self._attachments.values() if volume_id in {"", one.volume_id}]

    def attachment(self, caller: Caller, identity: str) -> Attachment:
        """An attachment of a volume that the caller may see."""
        found = self._attachments.get(identity)
        if found is None:
            raise ApiError(
                404, f"Volume attachment could not be found with filter: attachment_id = {identity}."
            )
        self.seen(caller, found.volume_id)
        return found

    def keep(self, attachment: Attachment) -> Attachment:
        """Add or replace an attachment."""
        self._attachments[attachment.id] = attachment
        return attachment

    def detach(self, attachment: Attachment) -> None:
        """Forget an attachment; the volume is free when it was the last."""
        del self._attachments[attachment.id]
        if not self.attachments(attachment.volume_id):
            self.move(attachment.volume_id, "detach")

    def snapshot_of(self, caller: Caller, identity: str) -> Document:
        """A snapshot that the caller may see."""
        row = self.snapshots.get(identity)
        if row["project_id"] != caller.project_id and not caller.is_admin:
            raise self.snapshots.missing(identity)
        return row
