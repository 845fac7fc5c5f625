"""What a hostile cloud, or a user in a hurry, can make of requests that change something in many clouds."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest
import pytest_asyncio

from oidproxy.manyclouds.replicating.heard import id_of
from tests.manyclouds.replicating.clouds import Claim, Fault
from tests.manyclouds.replicating.proxy import gone, worlds

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = {"server": {"name": "x"}}
KEY_PAIR = {"keypair": {"name": "k", "public_key": "ssh-ed25519 AAAAC3Nza me@here"}}
PORT = "0b1f4b3e-0000-4000-8000-00000000000b"


async def create(world, scope="*:a&b;identity:a", **headers):
    return await world.call("POST", "compute", "/v2.1/servers", SERVER, scope=scope, **headers)


def held(world, name="servers"):
    return tuple(world.held("compute", name).values())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hurried(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hurried")
    limits = {"wait": "0.2s", "connect": "0.5s", "first_byte": "1.5s", "between_bytes": "0.5s"}
    async with worlds(folder, "a", "b", "c", fan_out_token=4, **limits) as made:
        yield made


@pytest.fixture
def world(hurried):
    """Three clouds that hold nothing, and a proxy that waits for none of them for long."""
    hurried.empty()
    return hurried


# Ids.


async def test_an_id_that_is_none_is_the_trouble_of_its_cloud_alone(world):
    """b says that it made something under what could stand in no path: the others are undone."""
    world.clouds["b"].faults.append(Claim("POST", "servers", "\ud800"))
    answer = await create(world)
    assert (answer.status, answer.rows) == (502, {"a": "undone", "b": "uncertain"})
    assert answer.headers["X-Scope-Uncertain"] == "b"
    assert held(world) == (0, 1, 0)


@pytest.mark.parametrize("found", ["\ud800", "x" * 256, "a\nb", "", None, {}, 7])
async def test_what_is_no_id(found):
    assert id_of({"id": found}) == ""


@pytest.mark.parametrize("found", ["4f", "Zürich 1"])
async def test_what_is_an_id(found):
    assert id_of({"name": found}, "name") == found


@pytest.mark.parametrize("chosen", ["\ud800", "x" * 5000])
async def test_nor_may_a_user_choose_one(world, chosen):
    answer = await world.call("POST", "image", "/v2/images", {"name": "x", "id": chosen})
    assert answer.status == 400
    assert world.held("image", "images") == {"a": 0, "b": 0, "c": 0}


async def test_rows_without_a_use_keep_nobody_from_naming_a_flavor(world):
    """A cloud whose list of flavors is nonsense has no counterpart that is known; nothing is sent."""
    world.clouds["a"].of("compute", "flavors")["1"] = {"id": "1", "name": "small"}
    world.clouds["b"].of("compute", "flavors")["z"] = {"id": "\ud800", "name": "other"}
    body = {"server": {"name": "x", "flavorRef": "1"}}
    answer = await world.call("POST", "compute", "/v2.1/servers", body)
    assert (answer.status, answer.rows) == (504, {"b": "no counterpart"})
    assert held(world) == (0, 0, 0)


# `|`: the owner alone.


async def test_under_fallback_a_change_is_the_owners_alone(world):
    ids = (await create(world)).replicas
    path, body = f"/v2.1/servers/{ids['b']}", {"server": {"name": "renamed"}}
    answer = await world.call("PUT", "compute", path, body, scope="*:a|b;identity:a")
    assert answer.status == 200
    names = {one: world.clouds[one].of("compute", "servers")[ids[one]]["name"] for one in "ab"}
    assert names == {"a": "x", "b": "renamed"}


async def test_under_fallback_a_deletion_is_the_owners_alone(world):
    ids = (await create(world)).replicas
    path = f"/v2.1/servers/{ids['b']}"
    assert (await world.call("DELETE", "compute", path, scope="*:a|b;identity:a")).status == 204
    assert held(world) == (1, 0, 0)
    assert (await world.call("DELETE", "compute", path, scope="*:a|b;identity:a")).status == 404


async def test_under_fallback_what_bears_a_name_is_the_first_clouds_that_has_it(world):
    for cloud in ("b", "c"):
        world.clouds[cloud].of("compute", "os-keypairs")["k"] = {"name": "k", "id": "k"}
    answer = await world.call("DELETE", "compute", "/v2.1/os-keypairs/k", scope="*:a|b|c;identity:a")
    assert answer.status == 204
    assert held(world, "os-keypairs") == (0, 0, 1)


async def test_under_fallback_what_only_the_next_cloud_has_is_changed_there_while_the_first_is_away(world):
    ids = (await create(world)).replicas
    world.clouds["a"].faults.append(Fault("GET", "servers", 503))
    path = f"/v2.1/servers/{ids['b']}"
    answer = await world.call("DELETE", "compute", path, scope="*:a|b;identity:a")
    assert answer.status == 204
    assert held(world) == (1, 0, 0)


@pytest.mark.parametrize("service", ["image", "compute"])
async def test_but_not_what_the_silent_one_may_have_too(world, service):
    """A name, or an id that is known to be of replicas in both."""
    path = "/v2.1/os-keypairs/k"
    if service == "image":
        image = await world.call("POST", "image", "/v2/images", {"name": "x"})
        path = f"/v2/images/{image.replicas['b']}"
    for cloud in ("a", "b"):
        world.clouds[cloud].of("compute", "os-keypairs")["k"] = {"name": "k", "id": "k"}
    name = path.split("/")[2]
    world.clouds["a"].faults.append(Fault("GET", name, 503))
    answer = await world.call("DELETE", service, path, scope="*:a|b;identity:a")
    assert (answer.status, answer.rows) == (504, {"a": "unknown"})
    assert [len(world.clouds[cloud].of(service, name)) for cloud in "ab"] == [1, 1]


async def test_a_set_before_the_bar_is_changed_as_a_set(world):
    ids = (await create(world)).replicas
    path, body = f"/v2.1/servers/{ids['b']}", {"server": {"name": "renamed"}}
    answer = await world.call("PUT", "compute", path, body, scope="*:(a&b)|c;identity:a")
    assert (answer.status, answer.replicas) == (200, ids)


async def test_what_the_owner_is_asked_for_may_be_its_own(world):
    """A port that is no replica of any: the owner alone can have it."""
    ids = (await create(world)).replicas
    path = f"/v2.1/servers/{ids['b']}/os-interface"
    body = {"interfaceAttachment": {"port_id": PORT}}
    answer = await world.call("POST", "compute", path, body, scope="*:a|b;identity:a")
    assert answer.status == 202
    assert [json.loads(given) for method, at, given in world.clouds["b"].asked if at.endswith(path)] == [body]


async def test_a_volume_is_attached_to_every_replica_under_its_own_id(world):
    servers = (await create(world)).replicas
    volumes = (
        await world.call("POST", "block-storage", "/v3/project-of-demo/volumes", {"volume": {"size": 1}})
    ).replicas
    path = f"/v2.1/servers/{servers['a']}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": volumes["a"]}}
    assert (await world.call("POST", "compute", path, body)).status == 202
    for one in "ab":
        [given] = [
            json.loads(body)
            for _, at, body in world.clouds[one].asked
            if at.endswith(f"{servers[one]}/os-volume_attachments")
        ]
        assert given == {"volumeAttachment": {"volumeId": volumes[one]}}


# Key pairs: without a mark, told by what is in them.


async def test_a_key_pair_that_is_there_already_is_refused_before_anything_is_sent(world):
    world.clouds["b"].of("compute", "os-keypairs")["k"] = {"name": "k", "id": "k", "public_key": "other"}
    answer = await world.call("POST", "compute", "/v2.1/os-keypairs", KEY_PAIR)
    assert (answer.status, answer.rows) == (409, {"b": "not made"})
    assert held(world, "os-keypairs") == (0, 1, 0)
    assert world.journal() == []


async def test_a_key_pair_that_was_made_without_a_word_is_found_by_its_name_and_key(world):
    world.clouds["b"].faults.append(Fault("POST", "os-keypairs", 502, done=True))
    answer = await world.call("POST", "compute", "/v2.1/os-keypairs", KEY_PAIR)
    assert (answer.status, answer.replicas) == (201, {"a": "k", "b": "k"})
    assert world.journal() == []


async def test_another_key_pair_of_that_name_is_not_taken_for_it(world):
    """b answers 502 and has one with another key: somebody else made it meanwhile."""
    stop = world.clouds["b"].stop_at("POST", "os-keypairs")
    world.clouds["b"].faults.append(Fault("POST", "os-keypairs", 502))
    calling = asyncio.ensure_future(world.call("POST", "compute", "/v2.1/os-keypairs", KEY_PAIR))
    await stop.arrives()
    other = {"name": "k", "id": "k", "public_key": "ssh-ed25519 BBBB me@here"}
    world.clouds["b"].of("compute", "os-keypairs")["k"] = other
    stop.released.set()
    answer = await calling
    assert (answer.status, answer.rows) == (502, {"a": "undone", "b": "uncertain"})
    assert held(world, "os-keypairs") == (0, 1, 0)


async def test_what_bears_its_name_by_the_time_it_is_undone_is_left_alone(world):
    a, b = world.clouds["a"], world.clouds["b"]
    b.faults.append(Fault("POST", "os-keypairs", 403))
    a.faults.append(Fault("DELETE", "os-keypairs", 503, times=1))
    answer = await world.call("POST", "compute", "/v2.1/os-keypairs", KEY_PAIR)
    assert answer.rows == {"a": "undoing", "b": "not made"}
    other = {"name": "k", "id": "k", "public_key": "ssh-ed25519 BBBB me@here"}
    a.of("compute", "os-keypairs")["k"] = other
    await gone(world)
    assert a.of("compute", "os-keypairs") == {"k": other}


# Clouds that drip, and users who leave.


async def test_an_answer_that_never_ends_is_waited_for_no_longer_and_what_was_made_is_found(world):
    world.clouds["b"].drips = {"POST"}
    answer = await create(world)
    world.clouds["b"].drips = set()
    assert (answer.status, len(answer.replicas)) == (202, 2)
    assert held(world) == (1, 1, 0)


async def test_who_leaves_gives_nothing_back_before_it_is_over(world):
    stop = world.clouds["b"].stop_at("POST", "servers", after=True)
    for _ in range(2):
        leaving = asyncio.ensure_future(create(world))
        stop.reached.clear()
        await stop.arrives()
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
    assert (await create(world)).headers.get("X-Oidproxy-Error") == "too-many-clouds"
    stop.released.set()
    await gone(world)
    assert held(world) == (2, 2, 0)
    assert (await create(world)).status == 202


async def test_a_replica_whose_cloud_cannot_be_asked_is_named(world):
    """b does not admit the user any more: what is changed in a alone is not said to be done."""
    ids = (await create(world)).replicas
    document = json.loads(world.config.read_text())
    document["clouds"]["b"]["admits"] = {}
    compute = document["clouds"]["c"]["endpoints"]["compute"]
    document["clouds"]["c"]["endpoints"]["compute"] = {"RegionOne": compute, "RegionTwo": compute}
    world.config.write_text(json.dumps(document))
    path, body = f"/v2.1/servers/{ids['a']}", {"server": {"name": "renamed"}}
    async with asyncio.timeout(30):
        # Until the proxy has read that.
        while (answer := await world.call("PUT", "compute", path, body)).headers.get(
            "X-Oidproxy-Error"
        ) is None:
            assert set(answer.replicas) == {"a", "b"}, answer.body
            await asyncio.sleep(0.1)
    assert (answer.status, answer.rows) == (502, {"a": "done", "b": "failed"}), answer.body
    # And two regions of one cloud are not taken for one of them.
    answer = await create(world, scope="compute:c&c/RegionTwo;identity:a")
    assert (answer.status, held(world)) == (501, (1, 1, 0))
