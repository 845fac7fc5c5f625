"""Nova's fake hypervisor, but for the images: it really fetches them from Glance, and uploads snapshots.

For each server it leaves `<state_path>/servers/<server id>.json` with the SHA-512 of the bytes that came
(Glance's `os_hash_value`), and the bytes themselves beside it, which a snapshot sends.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nova.conf
from nova.image import glance
from nova.virt import fake

if TYPE_CHECKING:
    from collections.abc import Callable

CONF = nova.conf.CONF
PIECE = 1024 * 1024


class KeepingDriver(fake.FakeDriverWithoutFakeNodes):
    """A server is a file with its image, and a record of what that was."""

    def spawn(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Nova's
        """Fetch the image as a hypervisor would: with the user's token, to a file."""
        if instance.image_ref:
            disk = _disk(instance.uuid)
            glance.API().download(context, instance.image_ref, dest_path=str(disk))
            _record(instance.uuid, instance.image_ref, disk)
        super().spawn(context, instance, *args, **kwargs)

    def snapshot(
        self,
        context: Any,  # noqa: ANN401 - Nova's
        instance: Any,  # noqa: ANN401
        image_id: str,
        update_task_state: Callable[..., None],
    ) -> None:
        """Upload the server's disk, as the libvirt driver does."""
        super().snapshot(context, instance, image_id, update_task_state)
        images = glance.API()
        properties = images.get(context, image_id)
        made = {
            "name": properties["name"],
            "disk_format": "raw",
            "container_format": "bare",
            "properties": {"kernel_id": instance.kernel_id, "ramdisk_id": instance.ramdisk_id},
        }
        with _disk(instance.uuid).open("rb") as data:
            images.update(context, image_id, made, data, purge_props=False)

    def destroy(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Nova's
        """The disk goes; the record stays as evidence."""
        _disk(instance.uuid).unlink(missing_ok=True)
        super().destroy(context, instance, *args, **kwargs)


def _disk(server: str) -> Path:
    folder = Path(CONF.state_path) / "servers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{server}.disk"


def _record(server: str, image: str, disk: Path) -> None:
    digest = hashlib.sha512()
    with disk.open("rb") as data:
        while piece := data.read(PIECE):
            digest.update(piece)
    known = {"server": server, "image": image, "sha512": digest.hexdigest(), "size": disk.stat().st_size}
    disk.with_suffix(".json").write_text(json.dumps(known))
