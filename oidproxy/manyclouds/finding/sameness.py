"""Whether what several clouds have under one id is one thing, as far as its owner would say so. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_OF_A_PLACE = frozenset(
    {
        # Where it is, and when it was made there …
        "links",
        "self",
        "file",
        "schema",
        "direct_url",
        "locations",
        "stores",
        "created_at",
        "updated_at",
        "created",
        "updated",
        # … and for whom: a user has another id in each cloud.
        "id",
        "owner",
        "owner_id",
        "project_id",
        "tenant_id",
        "user_id",
        "revision_number",
    }
)
"""What differs between the same thing in two clouds."""


def same(service_type: str, bodies: Iterable[bytes]) -> bool:
    """Whether these show one thing: an image by the hash of its data, anything else by all it says."""
    things = [_thing(service_type, body) for body in bodies]
    return all(thing is not None and thing == things[0] for thing in things)


def _thing(service_type: str, body: bytes) -> Any:  # noqa: ANN401 - JSON of any shape
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if service_type == "image" and document.get("os_hash_value"):
        return document.get("os_hash_algo"), document["os_hash_value"]
    wrapped = [(key, inside) for key, inside in document.items() if isinstance(inside, dict)]
    kind, thing = wrapped[0] if len(document) == len(wrapped) == 1 else ("", document)
    return kind, {key: value for key, value in thing.items() if key not in _OF_A_PLACE}
