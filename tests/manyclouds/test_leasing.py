"""Work under a lease: one at a time, prolonged while it lasts, broken off when the lease is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import time

import pytest

from oidproxy.errors import StagingUnderWay
from oidproxy.manyclouds import leasing
from oidproxy.manyclouds.leasing import Leases, Taken
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


@pytest.fixture
def leases(store):
    return Leases(store, time.time)


async def test_a_lease_is_prolonged_while_the_work_lasts(store, leases):
    async def work() -> str:
        await asyncio.sleep(1.0)
        return "done"

    working = asyncio.create_task(leases.hold("job", work, LOST))
    for _ in range(18):
        await asyncio.sleep(0.05)
        assert not await store.claim("job", "two", until=time.time() + 1)
    assert await working == "done"
    assert await store.claim("job", "two", until=time.time() + 1), "and given back"


async def test_it_is_prolonged_while_the_work_cleans_up(store, leases):
    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.8)

    working = asyncio.create_task(leases.hold("job", work, LOST))
    await asyncio.sleep(0.1)
    working.cancel()
    for _ in range(12):
        await asyncio.sleep(0.05)
        assert not await store.claim("job", "two", until=time.time() + 1)
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_work_that_fails_gives_the_lease_back(store, leases):
    async def work() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await leases.hold("job", work, LOST)
    assert await store.claim("job", "two", until=time.time() + 1)


async def test_work_whose_lease_is_lost_is_broken_off_and_cleans_up(store, leases, state):
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    working = asyncio.create_task(leases.hold("job", work, LOST))
    await asyncio.sleep(0.1)
    connection = sqlite3.connect(state, isolation_level=None)
    connection.execute("UPDATE lease SET owner = 'two', until = until + 60")
    connection.close()
    with pytest.raises(StagingUnderWay):
        await working
    assert cleaned.is_set()
    assert not await store.claim("job", "three", until=time.time() + 1), "the other's lease is the other's"


async def test_two_of_one_process_exclude_each_other(leases):
    running = most = 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1

    told = await asyncio.gather(*(leases.hold("job", work, LOST) for _ in range(4)), return_exceptions=True)
    assert most == 1
    assert [type(one) for one in told if one is not None] == [Taken] * 3
    await leases.hold("job", work, LOST)
