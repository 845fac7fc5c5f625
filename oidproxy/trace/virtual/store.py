"""The state of a proxy, in memory: what its SQLite file would hold, without threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class MemoryStore:
    """Implements `store.terms.Store`. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], *, durable: Callable[[], None] = lambda: None) -> None:
        """`durable` is told of every entry that should survive: what is begun and not over."""
        self._clock = clock
        self._durable = durable
        self._entries: dict[str, tuple[bytes, float]] = {}
        self._leases: dict[str, tuple[str, float]] = {}

    async def get(self, key: str) -> bytes | None:
        """The value, until its end."""
        return self.peek(key)

    async def put(self, key: str, value: bytes, *, until: float, durable: bool = False) -> None:
        """Keep a value, in the place of another one."""
        self._entries[key] = value, until
        if durable:
            self._durable()

    async def drop(self, key: str) -> None:
        """Forget it."""
        self._entries.pop(key, None)

    async def scan(self, prefix: str, *, most: int) -> list[tuple[str, bytes]]:
        """The entries whose keys begin so, in the order of keys; not more than `most`."""
        now = self._clock()
        found = [
            (key, value)
            for key, (value, until) in self._entries.items()
            if until > now and key.startswith(prefix)
        ]
        return sorted(found)[:most]

    async def claim(self, key: str, owner: str, *, until: float) -> bool:
        """Take a lease, or prolong it."""
        held = self._leases.get(key)
        if held is not None and held[0] != owner and held[1] > self._clock():
            return False
        self._leases[key] = owner, until
        return True

    async def release(self, key: str, owner: str) -> None:
        """End a lease now."""
        if self._leases.get(key, ("", 0.0))[0] == owner:
            del self._leases[key]

    def peek(self, key: str) -> bytes | None:
        """The value at once."""
        found = self._entries.get(key)
        return found[0] if found is not None and found[1] > self._clock() else None

    async def close(self) -> None:
        """There is nothing to finish."""


class MemoryIndex:
    """Implements `store.terms.Index`; keeps `at_most` ids, the oldest are forgotten first."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._known: dict[int, tuple[str, ...]] = {}

    async def clouds(self, key: int) -> tuple[str, ...]:
        """Whoever was seen to hold this id."""
        return self._known.get(key, ())

    def clouds_now(self, key: int) -> tuple[str, ...] | None:
        """The same."""
        return self._known.get(key, ())

    async def add(self, found: Mapping[str, Sequence[int]]) -> None:
        """Cloud -> keys of ids that it was seen to hold."""
        self.learn(found)

    def learn(self, found: Mapping[str, Sequence[int]]) -> None:
        """The same at once."""
        for cloud, keys in found.items():
            for key in keys:
                held = self._known.get(key, ())
                if cloud not in held:
                    self._known[key] = (*held, cloud)
        while len(self._known) > self._at_most:
            del self._known[next(iter(self._known))]

    async def close(self) -> None:
        """There is nothing to finish."""
