"""Replicas and their journal where several proxies share a Redis server: the same promises as with a file."""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.manyclouds.replicating.clouds import Fault
from tests.manyclouds.replicating.proxy import gone, worlds
from tests.manyclouds.replicating.states import OnServer
from tests.manyclouds.replicating.test_kill import TOKEN, Create, called_again, states
from tests.store.server import serving
from tests.wire.rig import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory):
    with serving() as server:
        async with worlds(tmp_path_factory.mktemp("world"), "a", "b", kept=OnServer(server.url)) as made:
            yield made, server


@pytest.fixture
def world(served):
    served[0].empty()
    return served[0]


async def test_what_was_made_in_all_of_them_is_remembered(world):
    made = await world.call("POST", "compute", "/v2.1/servers", {"server": {"name": "x"}})
    assert (made.status, world.journal()) == (202, [])
    answer = await world.call("DELETE", "compute", f"/v2.1/servers/{made.replicas['b']}")
    assert (answer.status, answer.replicas) == (204, made.replicas)
    assert world.held("compute", "servers") == {"a": 0, "b": 0}


async def test_killed_when_all_was_made_and_nothing_answered(world):
    stops = [cloud.stop_at("POST", "servers", after=True) for cloud in world.clouds.values()]
    one = Create(world)
    for stop in stops:
        await stop.arrives()
    assert states(world) == {"a": "sending", "b": "sending"}
    assert TOKEN not in world.store.stored()
    await one.killed()
    await one.resumed()
    await one.whole()
    assert one.posts() == (1, 1)


async def test_killed_when_one_was_made_and_the_other_never(world):
    """What was made is undone; where nothing is found, nobody knows yet."""
    stop = world.clouds["b"].stop_at("POST", "servers")
    one = Create(world)
    await stop.arrives()
    await eventually(lambda: states(world)["a"] == "made")
    await one.killed()
    await one.resumed()
    await eventually(lambda: states(world) == {"a": "undone", "b": "uncertain"}, 20.0)
    assert (one.count(), one.posts()) == ((0, 0), (1, 1))
    status, listed = await world.command("list")
    assert (status, "uncertain" in listed) == (0, True)


async def test_a_deletion_that_a_cloud_did_not_hear_of_follows(world):
    made = await world.call("POST", "compute", "/v2.1/servers", {"server": {"name": "x"}})
    world.clouds["b"].faults.append(Fault("DELETE", "servers", 503, times=1))
    answer = await world.call("DELETE", "compute", f"/v2.1/servers/{made.replicas['a']}")
    assert (answer.status, answer.rows) == (202, {"a": "done", "b": "pending"})
    await called_again(world)
    await gone(world)
    assert world.held("compute", "servers") == {"a": 0, "b": 0}


async def test_without_the_server_nothing_is_sent(served, world):
    _, server = served
    await world.call("GET", "compute", "/v2.1/servers/none")
    server.stop()
    try:
        answer = await world.call("POST", "compute", "/v2.1/servers", {"server": {"name": "x"}})
    finally:
        server.start()
    assert answer.status == 503
    assert world.held("compute", "servers") == {"a": 0, "b": 0}
    assert [cloud.count("POST", "/servers") for cloud in world.clouds.values()] == [0, 0]
