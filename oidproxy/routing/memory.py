"""A bounded memo for what a registry makes of scopes; it belongs to one snapshot and goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST = 256 * 1024
"""Bytes of scope text that all keys stand for. Clients choose them; a byte becomes some 60 bytes of tree."""

_ENTRY = 64  # what an entry weighs besides its text


@dataclass(slots=True)
class Tally:
    """How often something was remembered when it was asked for, and how often not."""

    found: int = 0
    missed: int = 0


class Memory:
    """Remembers results of pure functions by their arguments; the oldest go first. None is no result."""

    __slots__ = ("_found", "_total", "_weights", "get", "routes", "scopes")

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}
        self._weights: dict[Hashable, int] = {}
        self._total = 0
        self.get: Callable[[Hashable], Any] = self._found.get
        """What is remembered under a key, or None. The dictionary's own method: every request comes here."""

        self.scopes = Tally()
        """Of the scopes that requests carry in headers and URLs."""
        self.routes = Tally()
        """Of the ways of calls (`routing.known`)."""

    def count_on(self, earlier: Memory) -> None:
        """Go on counting where another memory, whose place this one takes, left off."""
        self.scopes, self.routes = earlier.scopes, earlier.routes

    def put(self, key: Hashable, value: object, weight: int) -> None:
        """Remember a value whose key stands for this many bytes of text."""
        self._forget(key)
        self._found[key] = value
        self._weights[key] = weight + _ENTRY
        self._total += weight + _ENTRY
        while self._total > MOST:
            self._forget(next(iter(self._weights)))

    def _forget(self, key: Hashable) -> None:
        if key in self._weights:
            del self._found[key]
            self._total -= self._weights.pop(key)
