"""The terms between the shared state and whoever keeps something in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Store(Protocol):
    """Entries and leases that all workers of a proxy share, each with its end (seconds since the epoch).

    Whoever keeps a secret here has encrypted it. Keys begin with their owner's prefix: `stage/...`.
    Everything but `peek` raises StoreUnavailable where the state cannot be used now.
    """

    async def get(self, key: str) -> bytes | None:
        """The value, until its end."""

    async def put(self, key: str, value: bytes, *, until: float, durable: bool = False) -> None:
        """Keep a value, in the place of another one; a durable one survives also a loss of power."""

    async def drop(self, key: str) -> None:
        """Forget it; nothing happens if it is not there."""

    async def scan(self, prefix: str, *, most: int) -> list[tuple[str, bytes]]:
        """The durable entries whose keys begin so, and their values, in the order of keys; not more than
        `most`."""

    async def claim(self, key: str, owner: str, *, until: float) -> bool:
        """Take a lease, or prolong it: True if it is the owner's now, False while it is somebody else's.

        One that has ended is anybody's.
        """

    async def release(self, key: str, owner: str) -> None:
        """End a lease now; nothing happens if it is another owner's by now."""

    def peek(self, key: str) -> bytes | None:
        """As `get`, but at once: one read by key, for the data plane. None also where that fails."""

    async def close(self) -> None:
        """Finish what was begun, and use it no more."""


class Index(Protocol):
    """Which clouds were seen to hold which ids: where to ask first, and never an answer by itself.

    An id is a key of 64 bits, signed (`manyclouds.learning.key_of`). Nothing that is learned takes away what
    was learned before: a cloud that claims another's ids is only asked as well. Where there are too many,
    some are forgotten of those clouds that have the most.
    """

    async def clouds(self, key: int) -> tuple[str, ...]:
        """Whoever was seen to hold this id; nobody also where the index cannot be read now. Never raises."""
        ...

    def clouds_now(self, key: int) -> tuple[str, ...] | None:
        """The same in some microseconds; None where that takes longer."""
        ...

    async def add(self, found: Mapping[str, Sequence[int]]) -> None:
        """Cloud -> keys of ids that it was seen to hold. Raises StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Finish what was begun, and use it no more."""
