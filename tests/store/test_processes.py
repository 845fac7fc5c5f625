"""Several processes at one file: leases keep them apart, and one that is killed holds nothing for long."""

from __future__ import annotations

import asyncio
import multiprocessing
import time

from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite import SqliteStore
from tests.store.contending import count, hold

SPAWN = multiprocessing.get_context("spawn")
PROCESSES, ROUNDS = 4, 25


async def test_no_two_processes_are_under_one_lease(tmp_path):
    path = tmp_path / "state.db"
    prepare(path)
    processes = [
        SPAWN.Process(target=count, args=(str(path), f"owner-{number}", ROUNDS))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join, 60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    store = SqliteStore(path, clock=time.time)
    assert await store.get("counter") == b"%d" % (PROCESSES * ROUNDS)
    await store.close()


async def test_the_lease_of_a_killed_process_is_free_when_it_ends(tmp_path):
    path = tmp_path / "state.db"
    prepare(path)
    process = SPAWN.Process(target=hold, args=(str(path),))
    process.start()
    store = SqliteStore(path, clock=time.time)
    while store.peek("held") is None:
        await asyncio.sleep(0.01)
    assert not await store.claim("job", "next", until=time.time() + 10)
    process.kill()
    await asyncio.to_thread(process.join, 10)
    async with asyncio.timeout(5):
        while not await store.claim("job", "next", until=time.time() + 10):
            await asyncio.sleep(0.02)
    await store.close()
