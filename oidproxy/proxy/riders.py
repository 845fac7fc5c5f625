"""Whose request it was, without telling the token: a digest that nobody can make again without the key."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.trace.recording import Recording

KEPT = 8192
"""Users that are remembered; then all are forgotten."""


class Riders:
    """One recording's users; used by one thread."""

    __slots__ = ("_key", "_known")

    def __init__(self, recording: Recording) -> None:
        self._key = recording.key
        self._known: dict[tuple[str, bytes], str] = {}

    def name(self, home: str, token: bytes) -> str:
        """What stands for a bare token of this home: 16 hex digits."""
        known = self._known.get((home, token))
        if known is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            known = blake2b(home.encode() + b"\0" + token, key=self._key, digest_size=8).hexdigest()
            self._known[home, token] = known
        return known
