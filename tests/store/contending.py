"""What a process of its own does in the tests of several processes. Spawned, so it imports this module."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from oidproxy.store.sqlite import SqliteStore


def count(path: str, owner: str, rounds: int) -> None:
    """Add to a counter that only the lease protects: read, wait, write."""
    asyncio.run(_count(path, owner, rounds))


async def _count(path: str, owner: str, rounds: int) -> None:
    store = SqliteStore(Path(path), clock=time.time)
    for _ in range(rounds):
        while not await store.claim("counter", owner, until=time.time() + 10):
            await asyncio.sleep(0.001)
        held = int(await store.get("counter") or b"0")
        await asyncio.sleep(0.001)
        await store.put("counter", b"%d" % (held + 1), until=time.time() + 100)
        await store.release("counter", owner)
    await store.close()


def hold(path: str) -> None:
    """Take a lease for a while, say so, and never give it back."""
    asyncio.run(_hold(path))


async def _hold(path: str) -> None:
    store = SqliteStore(Path(path), clock=time.time)
    await store.claim("job", "died", until=time.time() + 1.0)
    await store.put("held", b"", until=time.time() + 100)
    await asyncio.sleep(60)
