"""Which ids a request's document uses, and which its answer was the first to tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from oidproxy.telemetry import redact
from oidproxy.trace.templates import ID

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

IDS_AT_MOST = 256
"""Of one document: what uses more is a list that somebody sends back."""

NAMES_AT_MOST = 50
"""Of one answer."""

CREATES = frozenset({200, 201, 202})
"""What a POST is answered that made something. Nova says 200 of server groups, keypairs and attachments."""

_IDS = re.compile(rf"(?<![0-9A-Za-z_-])(?:{ID})(?![0-9A-Za-z_-])")

_OTHER_KEYS = ("image_id", "port_id")
"""What is made besides by a call of another name: `createImage`, an interface."""


def ids_in(text: str) -> list[str]:
    """The ids in a query or a document, each once, in their order."""
    if len(text) < 32:
        return []
    return list(dict.fromkeys(_IDS.findall(text)))[:IDS_AT_MOST]


def ids_of(document: object | None) -> list[str]:
    """The ids in a body whose secrets are hidden already (`hiding.hidden`).

    Only in such a one: a password of `openssl rand -hex 16`, or a key of 128 bits, looks like an id.
    """
    return [] if document is None else ids_in(msgspec.json.encode(document).decode())


def made(document: object, location: str, used: Collection[str]) -> list[str]:
    """The ids of what a POST made, by its answer: `{"volume": {"id": …}}`, `{"ports": [{"id": …}]}`.

    `location` is the answer's field. What the request used is none that it made (an attached volume).
    """
    found = [*_ids(document), *_in_location(location)]
    return [one for one in dict.fromkeys(found) if one not in used][:IDS_AT_MOST]


def names_in(document: object) -> dict[str, str]:
    """Id -> name of what an answer shows: one thing, or the first rows of a list."""
    if not isinstance(document, dict):
        return {}
    found = {}
    for one in _shown(document):
        identity, name = one.get("id"), one.get("name")
        if isinstance(identity, str) and isinstance(name, str) and identity and name:
            found[identity[:64]] = redact.text(name)[:255]
            if len(found) >= NAMES_AT_MOST:
                break
    return found


def _shown(document: dict[str, object]) -> Iterator[dict[str, object]]:
    for one in (document, *document.values()):
        if isinstance(one, dict):
            yield one
        elif isinstance(one, list):
            yield from (row for row in one if isinstance(row, dict))


def _in_location(location: str) -> list[str]:
    """Nova and Glance name there what they made."""
    return ids_in(location.partition("?")[0].rstrip("/").rpartition("/")[2])


def _ids(document: object) -> Iterator[str]:
    if not isinstance(document, dict):
        return
    name, inside = next(iter(document.items())) if len(document) == 1 else ("", document)
    if name == "token":
        return
    if not isinstance(inside, dict | list):
        inside = document
    for one in inside if isinstance(inside, list) else [inside]:
        if isinstance(one, dict):
            yield from _of_one(one, name)


def _of_one(one: dict[str, object], name: str) -> Iterator[str]:
    """By `id`; a keypair has its name alone, an action and an attached port name what they made otherwise."""
    keys = ("id",) if "id" in one else ("name",) if name == "keypair" else _OTHER_KEYS
    for key in keys:
        value = one.get(key)
        if isinstance(value, str) and value:
            yield value
