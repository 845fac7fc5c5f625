"""Ids of staged images: those in requests' bodies replaced, and where answers show them.

The cloud that serves a call knows an image by the id of its own copy, the client by the id that it asked for
(docs/staging.md).
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.routing.paths import segments
from oidproxy.routing.staging import BLOCK_STORAGE, COMPUTE, named, read

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Shown:
    """Where an answer shows image ids: key paths as in `rewrite.rules`."""

    ids: tuple[str, ...]
    """The whole string is an id."""
    links: tuple[str, ...] = ()
    """The last segment of the link is one."""


_SERVERS = Shown(
    # The second: rebuild answers with the server, and lists are `servers`.
    ids=("server/image/id", "servers/image/id"),
    links=("server/image/links/href", "servers/image/links/href"),
)
_VOLUMES = Shown(
    # The last is os-show_image_metadata's, an action.
    ids=(
        "volume/volume_image_metadata/image_id",
        "volumes/volume_image_metadata/image_id",
        "metadata/image_id",
    )
)

# Outside of strings a JSON document has no quotes, so its strings are found from the beginning on. Nothing is
# tried twice (see `rewrite.rules` for why it is written so).
_STRING = re.compile(r'"([^"\\]*+(?>(?:\\.[^"\\]*+)*))"', re.DOTALL)


def shown_in(service_type: str, rest: bytes) -> Shown | None:
    """Where the answers of this path show ids of images; None if they do not."""
    below = segments(rest)[1:]
    if service_type == COMPUTE and (b"servers" in below[:2] or b"os-volumes_boot" in below[:2]):
        return _SERVERS
    if service_type == BLOCK_STORAGE and b"volumes" in below[:2]:
        return _VOLUMES
    return None


def replaced(service_type: str, rest: bytes, body: bytes, ids: Mapping[str, str]) -> bytes:
    """The body with other ids where it names images; every other byte as it came.

    Raises:
        BadRequest: it is nested deeper than any such body is.
    """
    wanted = {
        one.value: one.with_image(ids[one.image])
        for one in named(service_type, rest, read(body))
        if ids.get(one.image, one.image) != one.image
    }
    if not wanted:
        return body
    text = body.decode()
    places = [place for place in _STRING.finditer(text) if _text(place) in wanted]
    # Which of them are meant is tried: each gets an id of its own, and those that then name images are.
    marks = _marks(text, len(places))
    tried = read(_with(text, dict(zip(places, marks, strict=True))))
    meant = {one.value for one in named(service_type, rest, tried)}
    own = {place: wanted[_text(place)] for place, mark in zip(places, marks, strict=True) if mark in meant}
    return _with(text, own).encode()


def _text(place: re.Match[str]) -> str:
    return str(json.loads(place[0], strict=False)) if "\\" in place[1] else place[1]


def _marks(text: str, count: int) -> list[str]:
    """Ids that the document does not hold."""
    begins = next(begin for n in itertools.count() if (begin := f"{n:08x}-0000-4000-8000-") not in text)
    return [f"{begins}{n:012x}" for n in range(count)]


def _with(text: str, values: Mapping[re.Match[str], str]) -> str:
    """The document with other strings in some places, which are given in order."""
    pieces: list[str] = []
    at = 0
    for place, value in values.items():
        pieces += (text[at : place.start()], json.dumps(value))
        at = place.end()
    return "".join([*pieces, text[at:]])
