"""keystonemiddleware's token cache: what Keystone said of a token, kept for `token_cache_time` seconds."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.sim.messages import Document


class TokenCache:
    """By the token as it was received. A cached answer counts until its own end here, not the token's.

    Only answers that Keystone gave are kept: a token that was refused is asked about again.
    """

    def __init__(self, seconds: float = 300.0, capacity: int = 10_000) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._entries: dict[bytes, tuple[float, Document]] = {}

    def get(self, token: str, now: float) -> Document | None:
        """What is remembered of this token."""
        key = _key(token)
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now >= entry[0]:
            del self._entries[key]
            return None
        return entry[1]

    def put(self, token: str, document: Document, now: float) -> None:
        """Remember an answer; the oldest make room."""
        if self._seconds <= 0:
            return
        while len(self._entries) >= self._capacity:
            del self._entries[next(iter(self._entries))]
        self._entries[_key(token)] = (now + self._seconds, document)


def _key(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
