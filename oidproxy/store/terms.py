"""The terms between the shared state and whoever keeps something in it."""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Entries and leases that all workers of a proxy share, each with its end (seconds since the epoch).

    Whoever keeps a secret here has encrypted it. Keys begin with their owner's prefix: `stage/...`.
    Everything but `peek` raises StoreUnavailable where the state cannot be used now.
    """

    async def get(self, key: str) -> bytes | None:
        """The value, until its end."""

    async def put(self, key: str, value: bytes, *, until: float) -> None:
        """Keep a value, in the place of another one."""

    async def drop(self, key: str) -> None:
        """Forget it; nothing happens if it is not there."""

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
