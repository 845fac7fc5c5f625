"""A bounded map whose entries end: the least recently used goes first, and what has ended is not found."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """At most `capacity` entries, each until its own moment (seconds since the epoch, as `now` is)."""

    __slots__ = ("_capacity", "_entries")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[K, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, now: float) -> V | None:
        """The entry under this key, unless it has ended."""
        entry = self._entries.pop(key, None)
        if entry is None or entry[0] <= now:
            return None
        self._entries[key] = entry
        return entry[1]

    def peek(self, key: K, now: float) -> V | None:
        """The same for something that is looked at all the time: it does not count as a use."""
        entry = self._entries.get(key)
        return None if entry is None or entry[0] <= now else entry[1]

    def put(self, key: K, value: V, until: float) -> None:
        """Keep this until then; whatever was under this key before is gone."""
        self._entries.pop(key, None)
        if len(self._entries) >= self._capacity:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = until, value

    def values(self) -> list[V]:
        """Every entry, ended or not."""
        return [value for _, value in self._entries.values()]

    def drop(self, key: K) -> None:
        """Forget this key."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def drop_where(self, matches: Callable[[K, V], bool]) -> None:
        """Forget every entry that matches; looks at all of them."""
        for key in [key for key, (_, value) in self._entries.items() if matches(key, value)]:
            del self._entries[key]
