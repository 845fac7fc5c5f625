"""SIGKILL at every step of a replicated create: nothing lost, nothing made twice, nothing sent again.

The proxy is a process of its own and is killed with its workers. Where it stands when it dies is made sure of
from outside: clouds that hold a request up, a port that takes no connection, a state file that is locked.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from contextlib import contextmanager

import aiohttp
import pytest

from tests.manyclouds.replicating.clouds import Fault
from tests.manyclouds.replicating.proxy import gone, worlds
from tests.wire.rig import eventually

pytestmark = pytest.mark.slow

THINGS = {
    "servers": ("compute", "/v2.1/servers", {"server": {"name": "x"}}),
    "volumes": ("block-storage", "/v3/project-of-demo/volumes", {"volume": {"size": 1}}),
    "networks": ("network", "/v2.0/networks", {"network": {"name": "x"}}),
    "images": ("image", "/v2/images", {"name": "x"}),
    "flavors": ("compute", "/v2.1/flavors", {"flavor": {"name": "x"}}),
    "os-keypairs": (
        "compute",
        "/v2.1/os-keypairs",
        {"keypair": {"name": "x", "public_key": "ssh-ed25519 AAAA me@here"}},
    ),
}
TOKEN = b"token-of-demo"


@pytest.fixture
async def world(tmp_path):
    async with worlds(tmp_path, "a", "b") as made:
        yield made


class Create:
    """A create that the proxy does not live to answer."""

    def __init__(self, world, name="servers", **headers):
        self.world, self.name = world, name
        self.service, self.path, self.body = THINGS[name]
        self.calling = asyncio.ensure_future(
            world.call("POST", self.service, self.path, self.body, **headers)
        )

    async def killed(self):
        await self.world.kill()
        with pytest.raises(aiohttp.ClientError):
            await self.calling

    def count(self):
        held = self.world.held(self.service, self.name)
        return held["a"], held["b"]

    def posts(self):
        return tuple(cloud.count("POST", f"/{self.name}") for cloud in self.world.clouds.values())

    async def resumed(self):
        """A new proxy, and any call of the same user."""
        for cloud in self.world.clouds.values():
            cloud.stops.clear()
        await self.world.restart()
        await called_again(self.world, self.service, self.path)

    async def whole(self):
        """Both are there, and are replicas of one another: what deletes one deletes the other."""
        await gone(self.world)
        assert self.count() == (1, 1)
        [first] = self.world.clouds["a"].of(self.service, self.name)
        [second] = self.world.clouds["b"].of(self.service, self.name)
        if self.name not in {"flavors", "os-keypairs"}:
            answer = await self.world.call("DELETE", self.service, f"{self.path}/{second}")
            assert (answer.status, answer.replicas) == (204, {"a": first, "b": second})
            assert self.count() == (0, 0)

    async def uncertain(self, *clouds):
        """So it is listed, and it stays so."""
        await eventually(lambda: all(states(self.world)[one] == "uncertain" for one in clouds), 20.0)
        status, listed = await self.world.command("list", "--json")
        assert status == 0
        [told] = json.loads(listed)
        assert [one["cloud"] for one in told["clouds"] if one["state"] == "uncertain"] == list(clouds)


async def called_again(world, service="compute", path="/v2.1/servers"):
    """The user calls until the journal moves: a worker has to have read it once."""
    before = world.journal()
    async with asyncio.timeout(30.0):
        while before and world.journal() == before:
            await world.call("GET", service, f"{path}/none")
            await asyncio.sleep(0.2)


def states(world):
    [intent] = world.journal()
    return {one["cloud"]: one["state"] for one in intent["attempts"]}


@contextmanager
def deaf(port):
    """A port that takes no connection: its queue is full, so that the next one waits."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        try:
            yield
        finally:
            for one in waiting:
                one.close()


@contextmanager
def locked(path):
    """A state file that nobody else can write."""
    state = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    state.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        state.execute("ROLLBACK")
        state.close()


async def test_before_anything_is_sent(world):
    a, b = world.clouds.values()
    await world.call("GET", "compute", "/v2.1/servers/none")
    # a has the user's Keystone, which is asked first.
    await b.stop()
    with deaf(b.port):
        stop = a.stop_at("POST", "servers")
        one = Create(world)
        await stop.arrives()
        assert states(world) == {"a": "sending", "b": "sending"}
        await one.killed()
    await b.start()
    await one.resumed()
    await one.uncertain("a", "b")
    assert (one.count(), one.posts()) == ((0, 0), (1, 0))


@pytest.mark.parametrize("name", THINGS)
async def test_sent_and_made_but_not_answered(world, name):
    stops = [cloud.stop_at("POST", name, after=True) for cloud in world.clouds.values()]
    one = Create(world, name)
    for stop in stops:
        await stop.arrives()
    await one.killed()
    await one.resumed()
    await one.whole()
    assert one.posts() == (1, 1)


async def test_sent_and_not_made(world):
    stops = [cloud.stop_at("POST", "servers") for cloud in world.clouds.values()]
    one = Create(world)
    for stop in stops:
        await stop.arrives()
    await one.killed()
    await one.resumed()
    await one.uncertain("a", "b")
    assert (one.count(), one.posts()) == ((0, 0), (1, 1))


async def test_sent_and_made_only_after_the_proxy_was_killed(world):
    """The cloud was slow: at first nothing is found there, later it is, and undone with the failed rest."""
    a, b = world.clouds.values()
    stops = [a.stop_at("POST", "servers"), b.stop_at("POST", "servers", after=True)]
    one = Create(world)
    for stop in stops:
        await stop.arrives()
    [intent] = world.journal()
    await one.killed()
    await one.resumed()
    await one.uncertain("a")
    await eventually(lambda: states(world)["b"] == "undone", 20.0)
    a.of("compute", "servers")["late"] = {"id": "late", "metadata": {"oidproxy_replica": intent["id"]}}
    await world.kill()
    await world.restart()
    await called_again(world)
    await gone(world)
    assert (one.count(), one.posts()) == ((0, 0), (1, 1))


async def test_answered_but_not_recorded(world):
    stops = [cloud.stop_at("POST", "servers", after=True) for cloud in world.clouds.values()]
    one = Create(world)
    for stop in stops:
        await stop.arrives()
    with locked(world.state):
        for stop in stops:
            stop.released.set()
        await asyncio.sleep(0.5)
        assert states(world) == {"a": "sending", "b": "sending"}
        assert not one.calling.done()
        await one.killed()
    await one.resumed()
    await one.whole()
    assert one.posts() == (1, 1)


async def test_one_answered_and_recorded_the_other_made_it_unanswered(world):
    stop = world.clouds["b"].stop_at("POST", "servers", after=True)
    one = Create(world)
    await stop.arrives()
    await eventually(lambda: states(world)["a"] == "made")
    await one.killed()
    await one.resumed()
    await one.whole()
    assert one.posts() == (1, 1)


@pytest.mark.parametrize(("policy", "left"), [("undo", (0, 0)), ("keep", (1, 0))])
async def test_one_answered_and_recorded_the_other_never_made_it(world, policy, left):
    stop = world.clouds["b"].stop_at("POST", "servers")
    one = Create(world, X_Scope_On_Partial=policy)
    await stop.arrives()
    await eventually(lambda: states(world)["a"] == "made")
    await one.killed()
    await one.resumed()
    await one.uncertain("b")
    await eventually(lambda: one.count() == left)
    assert one.posts() == (1, 1)


async def test_all_recorded_but_not_remembered_as_replicas(world):
    """Remembering is held up by a trigger that takes very long."""
    state = sqlite3.connect(world.state, timeout=10.0)
    state.execute(
        "CREATE TRIGGER slowly BEFORE INSERT ON entry WHEN NEW.key LIKE 'replica/%' BEGIN "
        "SELECT count(*) FROM (WITH RECURSIVE n(x) AS "
        "(SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000000000) SELECT x FROM n); END"
    )
    state.commit()
    one = Create(world)
    await eventually(lambda: world.journal() and set(states(world).values()) == {"made"}, 10.0)
    await one.killed()
    state.execute("DROP TRIGGER slowly")
    state.commit()
    state.close()
    await one.resumed()
    await one.whole()
    assert one.posts() == (1, 1)


async def test_while_it_is_undone(world):
    world.clouds["b"].faults.append(Fault("POST", "servers", 403))
    stop = world.clouds["a"].stop_at("DELETE", "servers")
    one = Create(world)
    await stop.arrives()
    await one.killed()
    assert one.count() == (1, 0)
    await one.resumed()
    await gone(world)
    assert (one.count(), one.posts()) == ((0, 0), (1, 1))


async def test_while_replicas_are_deleted(world):
    ids = (await world.call("POST", *THINGS["servers"])).replicas
    stop = world.clouds["b"].stop_at("DELETE", "servers")
    deleting = asyncio.ensure_future(world.call("DELETE", "compute", f"/v2.1/servers/{ids['a']}"))
    await stop.arrives()
    await world.kill()
    with pytest.raises(aiohttp.ClientError):
        await deleting
    world.clouds["b"].stops.clear()
    await world.restart()
    await called_again(world)
    await gone(world)
    assert world.held("compute", "servers") == {"a": 0, "b": 0}


async def test_a_name_proves_nothing_so_a_server_group_of_that_name_is_never_touched(world):
    group = {"server_group": {"name": "k", "policy": "affinity"}}
    world.clouds["b"].of("compute", "os-server-groups")["1"] = {"id": "1", **group["server_group"]}
    stop = world.clouds["b"].stop_at("POST", "os-server-groups")
    calling = asyncio.ensure_future(world.call("POST", "compute", "/v2.1/os-server-groups", group))
    await stop.arrives()
    await eventually(lambda: states(world)["a"] == "made")
    await world.kill()
    with pytest.raises(aiohttp.ClientError):
        await calling
    world.clouds["b"].stops.clear()
    await world.restart()
    await called_again(world)
    await eventually(lambda: states(world) == {"a": "undone", "b": "uncertain"}, 20.0)
    assert world.held("compute", "os-server-groups") == {"a": 0, "b": 1}
    _, listed = await world.command("list")
    assert "somebody to look: it bears no mark" in listed


async def test_an_older_image_of_the_id_that_its_user_chose_is_never_touched(world):
    chosen = "0b1f4b3e-0000-4000-8000-00000000000a"
    world.clouds["b"].of("image", "images")[chosen] = {"id": chosen, "name": "old"}
    stop = world.clouds["b"].stop_at("POST", "images")
    calling = asyncio.ensure_future(world.call("POST", "image", "/v2/images", {"id": chosen}))
    await stop.arrives()
    await eventually(lambda: states(world)["a"] == "made")
    await world.kill()
    with pytest.raises(aiohttp.ClientError):
        await calling
    world.clouds["b"].stops.clear()
    await world.restart()
    await called_again(world, "image", "/v2/images")
    await eventually(lambda: states(world) == {"a": "undone", "b": "uncertain"}, 20.0)
    assert world.clouds["b"].of("image", "images")[chosen]["name"] == "old"
    assert world.held("image", "images") == {"a": 0, "b": 1}


async def test_no_token_is_in_the_state_file_whatever_it_waits_for(world):
    stops = [cloud.stop_at("POST", "servers", after=True) for cloud in world.clouds.values()]
    one = Create(world)
    for stop in stops:
        await stop.arrives()
    sent = {token for cloud in world.clouds.values() for token in cloud.tokens}
    await one.killed()
    assert len(sent) == 2, "the user's own at home, and a closed one"
    stored = world.store.stored()
    assert b"journal/" in stored
    assert not any(token.encode() in stored for token in sent)
    assert TOKEN not in stored


async def test_a_call_of_another_user_does_not_resume_it(world):
    stops = [cloud.stop_at("POST", "servers", after=True) for cloud in world.clouds.values()]
    one = Create(world)
    for stop in stops:
        await stop.arrives()
    await one.killed()
    for cloud in world.clouds.values():
        cloud.stops.clear()
    await world.restart()
    for _ in range(8):
        await world.call("GET", "compute", "/v2.1/servers/none", user="eve")
        await asyncio.sleep(0.25)
    assert states(world) == {"a": "sending", "b": "sending"}
    status, listed = await world.command("list")
    assert status == 0
    assert "a call of user id-of-demo, project project-of-demo of a; or journal retry" in listed


async def test_the_operator_resumes_it_with_clouds_yaml_and_no_proxy_runs(world):
    stops = [cloud.stop_at("POST", "servers", after=True) for cloud in world.clouds.values()]
    one = Create(world)
    for stop in stops:
        await stop.arrives()
    await one.killed()
    for cloud in world.clouds.values():
        cloud.stops.clear()
    accounts = ("--clouds-yaml", str(world.folder / "clouds.yaml"))
    status, said = await world.command("retry", *accounts)
    assert status == 2, "no entry is called like a cloud"
    assert "operator-a" not in said
    world.store.release_leases()
    status, said = await world.command("retry", *accounts, "--as", "a=operator-a", "--as", "b=operator-b")
    assert status == 0, said
    assert "done" in said
    assert (await world.command("list"))[1] == "nothing is left to be done\n"
    await world.serve()
    await one.whole()


async def test_an_account_is_shown_to_no_other_keystone_than_its_own(world):
    stop = world.clouds["b"].stop_at("POST", "servers", after=True)
    one = Create(world)
    await stop.arrives()
    await one.killed()
    accounts = ("--clouds-yaml", str(world.folder / "clouds.yaml"))
    status, said = await world.command("retry", *accounts, "--as", "a=operator-a", "--as", "b=operator-a")
    assert status == 2
    assert "but the Keystone of b is" in said


async def test_a_cloud_with_an_account_for_the_project_resumes_by_itself(tmp_path):
    """There the project has another id, in paths too."""
    name = "volumes"
    async with worlds(tmp_path, "a", "b", direct=("b",)) as world:
        b = world.clouds["b"]
        stop = b.stop_at("POST", name, after=True)
        one = Create(world, name)
        await stop.arrives()
        await eventually(lambda: states(world)["a"] == "made")
        await one.killed()
        b.stops.clear()
        _, listed = await world.command("list")
        assert "the proxy itself (account demo-at-b)" in listed
        await world.restart()
        await gone(world)
        assert (one.count(), one.posts()) == ((1, 1), (1, 1))
        paths = {path.partition("?")[0] for _, path, _ in b.asked}
        volumes = "/block-storage/v3/project-of-demo-at-b/volumes"
        assert paths == {volumes, f"{volumes}/detail"}
