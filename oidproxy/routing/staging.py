"""Image ids in the bodies of requests: which requests may name some, which they name, and where.

A direct cloud's Nova and Cinder look for these images in their own Glance (docs/staging.md). What is not
in the form of an id is left to the service: it refuses it better than we could.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.errors import BadRequest
from oidproxy.routing.paths import segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPUTE = "compute"
BLOCK_STORAGE = "block-storage"


class _Call(Enum):
    NEW_SERVER = auto()
    SERVER_ACTION = auto()
    NEW_VOLUME = auto()
    VOLUME_ACTION = auto()


_NONE: tuple[frozenset[bytes], None, None] = (frozenset(), None, None)
_CALLS: Mapping[str, tuple[frozenset[bytes], _Call, _Call]] = MappingProxyType(
    {
        # Nova's second name is a clone of the first.
        COMPUTE: (frozenset({b"servers", b"os-volumes_boot"}), _Call.NEW_SERVER, _Call.SERVER_ACTION),
        BLOCK_STORAGE: (frozenset({b"volumes"}), _Call.NEW_VOLUME, _Call.VOLUME_ACTION),
    }
)

_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


@dataclass(frozen=True, slots=True)
class Named:
    """A value of a body that names an image."""

    value: str
    image: str
    """The id in it: nearly always the whole value. Cinder takes a URL, too, that ends with one."""

    def with_image(self, image: str) -> str:
        """The value with another id."""
        return self.value[: len(self.value) - len(self.image)] + image


def names_images(service_type: str, method: str, rest: bytes) -> bool:
    """Whether the body of such a request may name an image, so that it has to be read first."""
    return method == "POST" and _call(service_type, rest) is not None


def images_named(service_type: str, rest: bytes, body: bytes) -> tuple[str, ...]:
    """The ids of the images that this body names, each once; none where it is no JSON.

    Raises:
        BadRequest: it is nested deeper than any such body is.
    """
    document = read(body)
    return tuple(dict.fromkeys(one.image for one in named(service_type, rest, document)))


def read(body: bytes | str) -> object:
    """The document of a body; None where it is none: the service says so better.

    Raises:
        BadRequest: it is nested too deeply.
    """
    try:
        return json.loads(body if isinstance(body, str) else body.decode())
    except ValueError:
        return None
    except RecursionError:
        raise BadRequest("The request body is nested too deeply.") from None


def named(service_type: str, rest: bytes, document: object) -> Iterator[Named]:
    """The values of a document that name images. Of two members of one name the last counts, as in Python."""
    match _call(service_type, rest):
        case _Call.NEW_SERVER:
            yield from _of_server(_member(document, "server"))
        case _Call.SERVER_ACTION:
            yield from _ids(_member(document, "rebuild"), "imageRef")
            yield from _ids(_member(document, "rescue"), "rescue_image_ref")
        case _Call.NEW_VOLUME:
            # `image_id` is another name of `imageRef` (cinder.api.v3.volumes).
            yield from _references(_member(document, "volume"), "imageRef", "image_id")
        case _Call.VOLUME_ACTION:
            yield from _ids(_member(document, "os-reimage"), "image_id")


def _call(service_type: str, rest: bytes) -> _Call | None:
    """What a POST to this path does: `…/servers` makes one, `…/servers/{id}/action` acts on one.

    A project id may stand between version and collection; Cinder had to have one until microversion 3.67.
    """
    collections, new, action = _CALLS.get(service_type, _NONE)
    below = segments(rest)[1:]
    if below and below[0] not in collections:
        below = below[1:]
    match below:
        case (collection,) if collection in collections:
            return new
        case (collection, _, b"action") if collection in collections:
            return action
        case _:
            return None


def _of_server(server: Any) -> Iterator[Named]:  # noqa: ANN401 - JSON of any shape
    yield from _ids(server, "imageRef")
    mappings = _member(server, "block_device_mapping_v2")
    for mapping in mappings if isinstance(mappings, list) else ():
        if _member(mapping, "source_type") == "image":
            yield from _ids(mapping, "uuid", "image_id")


def _ids(holder: Any, *names: str) -> Iterator[Named]:  # noqa: ANN401 - JSON of any shape
    for name in names:
        value = _member(holder, name)
        if isinstance(value, str) and _ID.match(value):
            yield Named(value, value)


def _references(holder: Any, *names: str) -> Iterator[Named]:  # noqa: ANN401 - JSON of any shape
    for name in names:
        value = _member(holder, name)
        last = value.rpartition("/")[2] if isinstance(value, str) else ""
        if _ID.match(last):
            yield Named(value, last)


def _member(holder: Any, name: str) -> Any:  # noqa: ANN401 - JSON of any shape
    return holder.get(name) if isinstance(holder, dict) else None
