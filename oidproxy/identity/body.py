"""The JSON of token answers: read from Keystone, written to whoever asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from oidproxy.errors import BadAnswer

if TYPE_CHECKING:
    from oidproxy.upstream.call import Whole


def token_in(whole: Whole, cloud: str) -> Mapping[str, object]:
    """`token` of this answer of the cloud's Keystone; BadAnswer if it is anything else."""
    coding = whole.head.get(b"content-encoding")
    if coding is not None and coding.lower() != b"identity":
        raise BadAnswer(f"The identity service of {cloud} sent an encoded answer.", cloud=cloud, sent=True)
    try:
        body = msgspec.json.decode(whole.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        body = None
    token = body.get("token") if isinstance(body, Mapping) else None
    if not isinstance(token, Mapping):
        raise BadAnswer(f"The identity service of {cloud} sent no token body.", cloud=cloud, sent=True)
    return token


def written(token: Mapping[str, object]) -> bytes:
    """A token answer with this under `token`."""
    return msgspec.json.encode({"token": token})
