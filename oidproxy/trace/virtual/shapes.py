"""Bodies like those of the real APIs, of a wanted size: lists that can be united, items, what was made."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import msgspec

ROW = 900
"""Bytes of a row, about, as of an image or a network."""
BRIEF = 400
"""… where rows show little."""

_BARE = frozenset({"image"})
"""Services whose items stand in no wrapper."""
_EPOCH = "2026-01-01T00:00:00Z"
_encode = msgspec.json.encode


def singular(collection: str) -> str:
    """`os-keypairs` -> `keypair`."""
    name = collection.removeprefix("os-").replace("-", "_")
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name.removesuffix("s")


@lru_cache(maxsize=4096)
def listing(cloud: str, service: str, list_key: str, size: int, limit: int | None) -> bytes:
    """A list of about so many bytes, of no more rows than the limit; newest first, as by default."""
    row_size = BRIEF if list_key == "keypairs" else ROW
    count = max(0, round((size - len(list_key) - 8) / row_size))
    if limit is not None:
        count = min(count, limit)
    ids = [_id(cloud, service, list_key, number) for number in range(count)]
    if list_key == "flavors":
        ids.sort()
    rows = [_row(service, list_key, identity, number, row_size) for number, identity in enumerate(ids)]
    body: dict[str, object] = {list_key: rows}
    if service == "image":
        body |= {"schema": f"/v2/schemas/{list_key}", "first": f"/v2/{list_key}"}
    elif service == "identity":
        body["links"] = {"next": None, "previous": None}
    return _encode(body)


def item(service: str, collection: str, identity: str, size: int) -> bytes:
    """One of a collection, in about so many bytes; the same in every cloud."""
    before, behind, bare = _item(service, collection)
    text = identity.encode()
    room = size - len(before) - len(text) * 1 - len(behind) - len(bare)
    return b"".join((before, text, behind, b"x" * max(0, room), bare))


def anything(size: int) -> bytes:
    """An object of so many bytes that says nothing."""
    return b'{"text": "%b"}' % (b"x" * max(0, size - 12))


@lru_cache(maxsize=1024)
def _item(service: str, collection: str) -> tuple[bytes, bytes, bytes]:
    """What stands before the id, between it and the filling, and behind that."""
    rest: dict[str, object] = {**_details(service, "0"), "description": "_"}
    text = _encode(rest)
    before, _, behind = text.rpartition(b'"_"')
    begin, end = b'{"id":"', b'"}'
    if service not in _BARE:
        begin, end = b'{"%b":{"id":"' % singular(collection).encode(), b'"}}'
    return begin, b'",' + before[1:] + b'"', end + behind[1:]


def _row(service: str, list_key: str, identity: str, number: int, size: int) -> dict[str, object]:
    moment = f"2025-{12 - number // 28 % 12:02}-{28 - number % 28:02}T00:00:00Z"
    if number >= 28 * 12:
        moment = f"{2024 - number // (28 * 12)}-{12 - number // 28 % 12:02}-{28 - number % 28:02}T00:00:00Z"
    row: dict[str, object] = {
        "id": identity,
        "name": f"{singular(list_key)}-{number:04}",
        **_details(service, identity),
        "created_at": moment,
        "created": moment,
    }
    if list_key == "keypairs":
        return {"keypair": {"name": row["name"], "public_key": "x" * 200}}
    row["description"] = "x" * max(0, size - len(_encode(row)) - 18)
    return row


def _details(service: str, identity: str) -> dict[str, object]:
    if service != "image":
        return {
            "name": "replayed",
            "status": "ACTIVE",
            "created": _EPOCH,
            "created_at": _EPOCH,
            "updated_at": _EPOCH,
        }
    return {
        "name": "replayed",
        "status": "active",
        "visibility": "public",
        "disk_format": "qcow2",
        "container_format": "bare",
        "size": 1024,
        "os_hash_algo": "sha512",
        "os_hash_value": blake2b(identity.encode()).hexdigest(),
        "tags": [],
        "created_at": _EPOCH,
        "updated_at": _EPOCH,
    }


def _id(*parts: object) -> str:
    digits = blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "8" + digits[17:20], digits[20:]))
