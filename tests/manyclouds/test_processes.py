"""Workers that are processes of their own: one copy among them, none half after a kill, and little memory."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from oidproxy.manyclouds import leasing
from tests.manyclouds.working import bring
from tests.manyclouds.world import HERE, THERE, project
from tests.wire.rig import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

SPAWN = multiprocessing.get_context("spawn")
MIB = 1 << 20


class Worker:
    """One process, started but not begun."""

    def __init__(self, world, state, image: str) -> None:
        self.pipe: Connection
        self.pipe, theirs = SPAWN.Pipe()
        ports = (world.here.port, world.there.port)
        self.process = SPAWN.Process(target=bring, args=(theirs, state, ports, image))
        self.process.start()
        theirs.close()

    async def told(self) -> Any:
        return await asyncio.to_thread(self.pipe.recv)

    def begin(self) -> None:
        self.pipe.send("go")


@contextmanager
def workers(world, state, image: str, count: int) -> Iterator[list[Worker]]:
    made = [Worker(world, state, image) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.process.kill()
            one.process.join()
            one.pipe.close()


@pytest.fixture
def image(world):
    return world.there.add(project("demo", THERE), 8 * MIB)


async def test_processes_that_ask_at_one_time_make_one_copy(world, image, state):
    world.there.faults.pause = 0.002
    with workers(world, state, image["id"], 3) as made:
        for one in made:
            assert await one.told() == "begun"
        for one in made:
            one.begin()
        ids = {(await one.told())[0] for one in made}
    assert ids == {world.copies()[0]["id"]}
    assert (world.here.count("POST"), world.here.taken) == (1, 8 * MIB)


async def test_what_a_killed_process_left_is_deleted_by_the_next(world, image, state):
    world.there.faults.pause = 0.05
    with workers(world, state, image["id"], 1) as [one]:
        await one.told()
        one.begin()
        await eventually(lambda: world.here.taken > MIB, 20.0)
        one.process.kill()
        [half] = world.copies()
        await eventually(lambda: half["status"] == "queued")
    world.there.faults.pause = 0.0
    # Its lease has to end first.
    await world.store.release(
        f"stage/lease/{HERE}@RegionOne/{THERE}@RegionOne/{image['id']}", await holder(state)
    )
    ids = await world.bring(image["id"])
    assert world.here.deleted == [half["id"]]
    assert [copy["id"] for copy in world.copies()] == [ids[image["id"]]]


async def holder(state) -> str:
    """Who holds the only lease."""
    import sqlite3

    connection = sqlite3.connect(state)
    try:
        [(owner,)] = connection.execute("SELECT owner FROM lease").fetchall()
        return str(owner)
    finally:
        connection.close()


async def test_the_lease_of_a_killed_process_ends_within_half_a_minute():
    assert leasing.LASTS <= 30.0


@pytest.mark.slow
async def test_a_large_image_passes_through_little_memory(world, state):
    large = world.there.add(project("demo", THERE), 256 * MIB)
    with workers(world, state, large["id"], 1) as [one]:
        await one.told()
        one.begin()
        _, grown = await one.told()
    assert world.here.taken == 256 * MIB
    assert grown < 24, "MiB"


async def test_a_target_that_does_not_read_holds_the_source(world):
    large = world.there.add(project("demo", THERE), 64 * MIB)
    world.here.faults.reads = asyncio.Event()
    asking = asyncio.create_task(world.bring(large["id"]))
    await eventually(lambda: world.there.given)
    given = -1
    while given != world.there.given:
        given = world.there.given
        await asyncio.sleep(0.3)
    assert given < 24 * MIB, "what the system's own buffers hold"
    world.here.faults.reads.set()
    await asking
    assert world.here.taken == 64 * MIB
