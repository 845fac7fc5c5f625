"""cinder-volume: what happens to a volume after the API has answered."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError
from oidproxy.sim.steps import CallFailedError, Discard, Note, Pause, Procedure

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.cinder.model import Cinder
    from oidproxy.sim.cinder.process import Images
    from oidproxy.sim.messages import Document

IMAGE_FIELDS = ("checksum", "container_format", "disk_format", "min_disk", "min_ram", "size")
EMPTY_SIZE = 1 << 20
"""Bytes that stand in for the contents of a volume that was made empty."""


class Worker:
    """Fills volumes, and makes images of them."""

    def __init__(self, cinder: Cinder, images: Images) -> None:
        self._cinder = cinder
        self._images = images

    def fill(self, user: Caller, volume_id: str, image: Document) -> Procedure[None]:
        """Make a volume available: empty, or with an image's data read with the user's token."""
        if not image:
            yield Pause(0)
            self._cinder.move(volume_id, "created")
            return
        blob = f"volume-{volume_id}"
        self._cinder.move(volume_id, "download")
        try:
            content = yield from self._images.download(user, image["id"], blob)
        except (ApiError, CallFailedError):
            self._cinder.move(volume_id, "fail")
            return
        matches = image.get("os_hash_value") in {None, content.sha512} and image.get("size") == content.size
        entry = {
            "at": self._cinder.sources.now(),
            "volume_id": volume_id,
            "image_id": image["id"],
            "size": content.size,
            "md5": content.md5,
            "sha256": content.sha256,
            "sha512": content.sha512,
            "expected": image.get("os_hash_value"),
            "matches": matches,
        }
        yield Note("downloads", entry)
        if not matches:
            self._cinder.move(volume_id, "fail")
            yield Discard(blob)
            return
        metadata = {name: str(image[name]) for name in IMAGE_FIELDS if image.get(name) is not None}
        metadata |= {"image_id": image["id"], "image_name": image["name"] or ""}
        self._cinder.move(
            volume_id, "created", blob=blob, bootable=True, image_metadata=MappingProxyType(metadata)
        )

    def upload(self, user: Caller, volume_id: str, image_id: str) -> Procedure[None]:
        """Send a volume's data to an image."""
        volume = self._cinder.get(volume_id)
        try:
            yield from self._images.show(user, image_id)
            yield from self._images.upload(
                user, image_id, blob=volume.blob, pattern=volume_id, size=EMPTY_SIZE
            )
        finally:
            self._cinder.move(volume_id, "uploaded")
