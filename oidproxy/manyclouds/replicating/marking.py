"""The mark of a resource: put into the request that makes it, and read again in what clouds list.

A mark is the intent's id. Users see it, and may delete it: then what it marked is theirs alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from oidproxy.errors import BadRequest, NotSupported
from oidproxy.manyclouds.replicating.heard import id_of, read
from oidproxy.manyclouds.replicating.kinds import Kind, Mark, Naming

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "oidproxy_replica"
"""The key of the mark in metadata, and the property of an image."""

DESCRIPTION_AT_MOST = 255
"""Characters: Neutron's and Cinder's limit for descriptions."""

_MANY = ("min_count", "max_count")


@dataclass(frozen=True, slots=True)
class Marked:
    """What is sent: the document, the id that it chooses, and whether and how what it makes is recognized."""

    document: Mapping[str, Any]
    chosen: str
    recognizable: bool
    bears_mark: bool
    likeness: str = ""
    """Of what its sender chose the id, which no mark tells: see `likeness`."""


def marked(kind: Kind, body: bytes, mark: str, fresh_id: str) -> Marked:
    """The document of a request that makes one resource, with this mark, and with this id if it needs one.

    Raises:
        BadRequest: it is no such document.
        NotSupported: it makes several, or what cannot be the same everywhere.
    """
    document = _document(body)
    resource = _resource(kind, document)
    _check_one(kind, resource)
    chosen, given = _chosen(kind, resource, fresh_id)
    resource = {**resource, kind.key: chosen} if kind.naming is Naming.OURS else dict(resource)
    # An id that nobody but this request has is as good as a mark, and no cloud refuses it.
    ours = kind.naming is Naming.OURS and not given
    placed = not ours and _place(kind, resource, mark)
    whole = document | {kind.member: resource} if kind.member else resource
    alike = likeness(kind, resource) if given and not placed else ""
    return Marked(whole, chosen, ours or placed, placed, alike)


def mark_of(kind: Kind, row: Mapping[str, Any]) -> str:
    """The mark of a resource in a cloud's own words; empty where it has none."""
    match kind.mark:
        case Mark.METADATA:
            metadata = row.get("metadata")
            found = metadata.get(KEY) if isinstance(metadata, dict) else None
        case Mark.PROPERTY:
            found = row.get(KEY)
        case Mark.DESCRIPTION:
            description = row.get("description")
            found = _behind(description) if isinstance(description, str) else None
        case Mark.NONE:
            found = None
    return found if isinstance(found, str) else ""


def shows_mark(kind: Kind, row: Mapping[str, Any]) -> bool:
    """Whether a row of a list would show the mark if there were one."""
    return {Mark.METADATA: "metadata", Mark.DESCRIPTION: "description"}.get(kind.mark, kind.key) in row


def likeness(kind: Kind, resource: Mapping[str, Any]) -> str:
    """A digest of what makes a resource what it is; empty where nothing of the kind is known.

    Names of key pairs are unique for a user, ids of flavors in a cloud (Compute API). So one that was not
    there before, and is now, with this in it, is the one that was made.
    """
    match kind.name:
        case "os-keypairs":
            # "ssh-ed25519 AAAA… comment"; a certificate (x509) is one text.
            words = str(resource.get("public_key", "")).split()
            parts = words[1:2] if len(words) in {2, 3} else words
        case "flavors":
            parts = [str(resource.get(member)) for member in ("name", "ram", "vcpus", "disk")]
        case _:
            return ""
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def made_id(kind: Kind, answer: bytes) -> str:
    """The id of what a cloud says that it made; empty where it does not say so."""
    document = read(answer)
    resource = document.get(kind.member) if kind.member and isinstance(document, dict) else document
    return id_of(resource, kind.key) if isinstance(resource, dict) else ""


def _document(body: bytes) -> dict[str, Any]:
    document = read(body)
    if not isinstance(document, dict):
        raise BadRequest("What is to be made in several clouds has to be described as a JSON object.")
    return document


def _resource(kind: Kind, document: dict[str, Any]) -> dict[str, Any]:
    if not kind.member:
        return document
    resource = document.get(kind.member)
    if isinstance(resource, dict):
        return resource
    if kind.rows in document:
        raise NotSupported(f"Several {kind.name} in one request cannot be made in several clouds.")
    raise BadRequest(f"What is to be made in several clouds has to stand under {kind.member!r}.")


def _check_one(kind: Kind, resource: Mapping[str, Any]) -> None:
    if kind.name == "servers" and any(str(resource.get(key, 1)) != "1" for key in _MANY):
        raise NotSupported("Several servers in one request cannot be made in several clouds.")
    if kind.name == "os-keypairs" and not resource.get("public_key"):
        raise BadRequest(
            "A key pair that is generated would be another one in each cloud: give its public_key."
        )


def _chosen(kind: Kind, resource: Mapping[str, Any], fresh_id: str) -> tuple[str, bool]:
    """The id that the request gives, and whether its sender chose it."""
    given = resource.get(kind.key)
    if kind.naming is Naming.CLOUD:
        return "", False
    # "auto" is python-novaclient's word for a flavor's id that is to be generated.
    if isinstance(given, str) and given and given != "auto":
        if not id_of(resource, kind.key):
            raise BadRequest(f"The {kind.key} of what is to be made is none.")
        return given, True
    return ("", False) if kind.naming is Naming.USER else (fresh_id, False)


def _place(kind: Kind, resource: dict[str, Any], mark: str) -> bool:
    """Put the mark where it belongs; False where there is no place for it."""
    match kind.mark:
        case Mark.METADATA:
            metadata = resource.get("metadata")
            if metadata is not None and not isinstance(metadata, dict):
                return False
            resource["metadata"] = {**(metadata or {}), KEY: mark}
        case Mark.PROPERTY:
            resource[KEY] = mark
        case Mark.DESCRIPTION:
            before = resource.get("description") or ""
            if not isinstance(before, str):
                return False
            text = f"{before} {_written(mark)}".strip()
            if len(text) > DESCRIPTION_AT_MOST:
                return False
            resource["description"] = text
        case Mark.NONE:
            return False
    return True


def _written(mark: str) -> str:
    return f"[{KEY} {mark}]"


def _behind(description: str) -> str:
    _, found, mark = description.rpartition(f"[{KEY} ")
    return mark.removesuffix("]") if found and mark.endswith("]") else ""
