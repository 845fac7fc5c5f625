"""Actions that make an image in each cloud: which images these are, so that they are replicas from then on.

Nova tells the image of a server in Location, from microversion 2.45 on in the body; Cinder in the body.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

from oidproxy.manyclouds.parts import Answered
from oidproxy.manyclouds.replicating.groups import Group, Place
from oidproxy.manyclouds.replicating.heard import read
from oidproxy.manyclouds.replicating.references import IMAGE, UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.manyclouds.parts import Part
    from oidproxy.manyclouds.replicating.errand import Errand

_ACTIONS = ("createImage", "createBackup", "os-volume_upload_image")
_LOCATION = re.compile(rb".*/images/([^/?]+)\Z")


async def remember(errand: Errand, parts: Iterable[Part]) -> None:
    """Remember the images that an action made, if it makes some. Raises StoreUnavailable."""
    document = read(errand.fanout.body or b"")
    if not isinstance(document, dict) or not any(action in document for action in _ACTIONS):
        return
    images = {part.cloud: _image(part) for part in parts if isinstance(part, Answered) and part.status < 300}
    known = {cloud: image for cloud, image in images.items() if image}
    if len(known) > 1:
        place = Place(errand.owner.home, errand.owner.project, *IMAGE)
        await errand.groups.keep(place, Group(str(uuid4()), known))


def _image(answer: Answered) -> str:
    document = read(answer.body)
    told = document.get("os-volume_upload_image", document) if isinstance(document, dict) else None
    found = told.get("image_id") if isinstance(told, dict) else None
    if found is None:
        location = _LOCATION.match(answer.head.get(b"location") or b"")
        found = location[1].decode("latin-1") if location else None
    return found if isinstance(found, str) and UUID.match(found) else ""
