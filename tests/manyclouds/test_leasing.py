"""Work under a lease: one at a time, prolonged while it lasts, broken off when the lease is lost."""

from __future__ import annotations

import asyncio
import time

import pytest

from oidproxy.errors import StagingUnderWay
from oidproxy.manyclouds import leasing
from oidproxy.manyclouds.leasing import Leases
from oidproxy.store.sqlite import SqliteStore

LOST = StagingUnderWay("lost")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(leasing, "LASTS", 0.4)
    monkeypatch.setattr(leasing, "PROLONGED_EVERY", 0.05)


@pytest.fixture
async def store(state):
    made = SqliteStore(state, clock=time.time)
    yield made
    await made.close()


async def test_a_lease_is_prolonged_while_the_work_lasts(store):
    async def work() -> str:
        await asyncio.sleep(1.0)
        return "done"

    working = asyncio.create_task(Leases(store, "one", time.time).hold("job", work, LOST))
    for _ in range(18):
        await asyncio.sleep(0.05)
        assert not await store.claim("job", "two", until=time.time() + 1)
    assert await working == "done"
    assert await store.claim("job", "two", until=time.time() + 1), "and given back"


async def test_work_that_fails_gives_the_lease_back(store):
    async def work() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await Leases(store, "one", time.time).hold("job", work, LOST)
    assert await store.claim("job", "two", until=time.time() + 1)


async def test_work_whose_lease_is_lost_is_broken_off_and_cleans_up(store):
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    working = asyncio.create_task(Leases(store, "one", time.time).hold("job", work, LOST))
    await asyncio.sleep(0.1)
    await store.release("job", "one")
    assert await store.claim("job", "two", until=time.time() + 60)
    with pytest.raises(StagingUnderWay):
        await working
    assert cleaned.is_set()
    assert not await store.claim("job", "three", until=time.time() + 1), "the other's lease is the other's"


async def test_whoever_waits_begins_when_the_lease_is_free(store):
    order: list[str] = []

    async def work(name: str) -> None:
        order.append(f"{name} begins")
        await asyncio.sleep(0.1)
        order.append(f"{name} ends")

    await asyncio.gather(
        *(Leases(store, name, time.time).hold("job", lambda name=name: work(name), LOST) for name in "abc")
    )
    assert [one.rpartition(" ")[2] for one in order] == ["begins", "ends"] * 3
