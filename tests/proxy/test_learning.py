"""What workers learned is written by the parent: in batches, bounded, and never in anybody's way."""

from __future__ import annotations

import asyncio
import time
from array import array

from oidproxy.errors import StoreUnavailable
from oidproxy.proxy import learning as module
from oidproxy.proxy.learning import Learner


class Index:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.added: list[dict[str, list[int]]] = []
        self.broken = False
        self.closed = False

    async def clouds(self, key):
        return ()

    async def add(self, found):
        if self.broken:
            raise StoreUnavailable("gone")
        self.added.append({cloud: list(keys) for cloud, keys in found.items()})

    async def close(self):
        self.closed = True


def told(*keys: int) -> bytes:
    return array("q", keys).tobytes()


async def test_what_several_workers_say_is_written_together():
    learner = Learner(index := Index())
    learner.hear({"a": told(1, -2), "b": told(3)})
    learner.hear({"a": told(4)})
    assert await learner.write()
    assert index.added == [{"a": [1, -2, 4], "b": [3]}]
    assert await learner.write()
    assert len(index.added) == 1, "nothing is written where there is nothing"


async def test_it_writes_by_itself(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.01)
    learner = Learner(index := Index())
    running = asyncio.create_task(learner.run())
    learner.hear({"a": told(1)})
    deadline = time.monotonic() + 5
    while not index.added and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    running.cancel()
    assert index.added == [{"a": [1]}]


async def test_what_a_store_does_not_take_is_lost_and_said_and_no_more_waits_than_may(monkeypatch, caplog):
    monkeypatch.setattr(module, "WAITING_AT_MOST", 4)
    learner = Learner(index := Index())
    for number in range(10):
        learner.hear({"a": told(number, -number)})
    index.broken = True
    assert not await learner.write()
    assert "4 ids were not learned: gone" in caplog.text
    index.broken = False
    learner.hear({"a": told(5)})
    await learner.close()
    assert index.added == [{"a": [5]}]
    assert index.closed
