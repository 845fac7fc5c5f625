"""POST under `a & b`: one resource in each cloud, or in none; a real proxy in front of fake clouds."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.manyclouds.replicating.clouds import Fault
from tests.manyclouds.replicating.proxy import gone
from tests.wire.rig import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = {"server": {"name": "x", "metadata": {"mine": "1"}}}
IMAGE = {"name": "cirros", "disk_format": "qcow2", "container_format": "bare"}


async def create(world, **headers):
    return await world.call("POST", "compute", "/v2.1/servers", SERVER, **headers)


def sent(cloud, member="server"):
    """The document of the only POST that a cloud got."""
    [body] = [body for method, _, body in cloud.asked if method == "POST"]
    return json.loads(body)[member] if member else json.loads(body)


async def test_it_is_made_in_each_cloud_and_the_first_ones_object_is_the_answer(world):
    answer = await create(world)
    assert answer.status == 202, answer.body
    a, b = world.clouds["a"], world.clouds["b"]
    [first], [second] = a.of("compute", "servers"), b.of("compute", "servers")
    assert answer.json["server"]["id"] == first
    assert answer.replicas == {"a": first, "b": second}
    assert answer.json["server"]["links"][0]["href"].startswith(f"http://{world.host}:8888/")
    assert world.journal() == []


async def test_only_the_scopes_clouds_get_it(world):
    assert (await create(world, scope="*:c&a;identity:a")).status == 202
    assert world.held("compute", "servers") == {"a": 1, "b": 0, "c": 1}


async def test_a_server_and_a_volume_bear_the_mark_in_their_metadata_beside_the_users(world):
    await create(world)
    await world.call("POST", "block-storage", "/v3/project-of-demo/volumes", {"volume": {"size": 1}})
    for cloud in ("a", "b"):
        [server] = world.clouds[cloud].of("compute", "servers").values()
        [volume] = world.clouds[cloud].of("block-storage", "volumes").values()
        assert server["metadata"].keys() == {"mine", "oidproxy_replica"}
        assert volume["metadata"].keys() == {"oidproxy_replica"}
    marks = {
        one["metadata"]["oidproxy_replica"]
        for cloud in ("a", "b")
        for one in world.clouds[cloud].of("compute", "servers").values()
    }
    assert len(marks) == 1


async def test_a_network_bears_the_mark_behind_its_description(world):
    body = {"network": {"name": "n", "description": "of mine"}}
    answer = await world.call("POST", "network", "/v2.0/networks", body)
    assert answer.status == 201
    for cloud in ("a", "b"):
        [network] = world.clouds[cloud].of("network", "networks").values()
        assert network["description"].startswith("of mine [oidproxy_replica ")


async def test_an_image_has_one_id_of_our_choice_in_all_clouds(world):
    answer = await world.call("POST", "image", "/v2/images", IMAGE)
    assert answer.status == 201
    assert len(set(answer.replicas.values())) == 1
    assert [*world.clouds["a"].of("image", "images")] == [*world.clouds["b"].of("image", "images")]


async def test_an_id_that_the_user_chose_for_an_image_stays(world):
    chosen = "0b1f4b3e-0000-4000-8000-00000000000a"
    answer = await world.call("POST", "image", "/v2/images", IMAGE | {"id": chosen})
    assert answer.replicas == {"a": chosen, "b": chosen}


async def test_when_one_refuses_the_others_are_undone_and_each_has_a_row(world):
    world.clouds["b"].faults.append(Fault("POST", "servers", 403))
    answer = await create(world)
    assert answer.status == 403
    assert answer.rows == {"a": "undone", "b": "not made"}
    assert answer.json["error"]["code"] == 403
    assert "X-Scope-Uncertain" not in answer.headers
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}
    await gone(world)


async def test_when_the_others_are_to_be_kept_they_are_and_are_named(world):
    world.clouds["b"].faults.append(Fault("POST", "servers", 403))
    answer = await create(world, X_Scope_On_Partial="keep")
    assert (answer.status, answer.rows) == (403, {"a": "made", "b": "not made"})
    assert answer.replicas == {"a": next(iter(world.clouds["a"].of("compute", "servers")))}
    await gone(world)


async def test_another_policy_is_refused_before_anything_is_sent(world):
    answer = await create(world, X_Scope_On_Partial="perhaps")
    assert answer.status == 400
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}


async def test_a_5xx_that_made_something_is_found_by_its_mark_and_counts(world):
    """There are so many servers that the one is on a later page."""
    for number in range(5):
        world.clouds["b"].of("compute", "servers")[f"0{number}"] = {"id": f"0{number}", "metadata": {}}
    world.clouds["b"].faults.append(Fault("POST", "servers", 502, done=True))
    answer = await create(world)
    assert answer.status == 202
    assert world.clouds["b"].of("compute", "servers")[answer.replicas["b"]]["name"] == "x"
    assert world.held("compute", "servers") == {"a": 1, "b": 6, "c": 0}


async def test_all_5xx_that_made_something_are_found_and_the_object_is_shown(world):
    for cloud in ("a", "b"):
        world.clouds[cloud].faults.append(Fault("POST", "servers", 502, done=True))
    answer = await create(world)
    assert answer.status == 201
    assert answer.json["server"]["id"] == answer.replicas["a"]
    assert answer.replicas.keys() == {"a", "b"}


async def test_a_5xx_that_left_nothing_is_uncertain_and_is_not_sent_again(world):
    world.clouds["b"].faults.append(Fault("POST", "servers", 503))
    answer = await create(world)
    assert (answer.status, answer.headers["X-Scope-Uncertain"]) == (502, "b")
    assert answer.rows == {"a": "undone", "b": "uncertain"}
    assert world.clouds["b"].count("POST", "/servers") == 1
    [left] = world.journal()
    assert [one["state"] for one in left["attempts"]] == ["undone", "uncertain"]


async def test_a_cloud_without_a_connection_is_known_to_have_made_nothing(world):
    b = world.clouds["b"]
    await b.stop()
    try:
        answer = await create(world)
    finally:
        await b.start()
    assert (answer.status, answer.rows) == (502, {"a": "undone", "b": "not made"})
    assert "X-Scope-Uncertain" not in answer.headers
    await gone(world)


async def test_an_undoing_that_is_refused_first_succeeds_later(world):
    world.clouds["b"].faults.append(Fault("POST", "volumes", 403))
    world.clouds["a"].faults.append(Fault("DELETE", "volumes", 400, times=1))
    path = "/v3/project-of-demo/volumes"
    answer = await world.call("POST", "block-storage", path, {"volume": {"size": 1}})
    assert answer.rows == {"a": "undoing", "b": "not made"}
    await gone(world)
    assert world.held("block-storage", "volumes")["a"] == 0


async def test_any_of_three_makes_two_and_takes_another_for_one_that_is_down(world):
    b = world.clouds["b"]
    await b.stop()
    try:
        answer = await create(world, scope="*:any(2,a&b&c);identity:a")
    finally:
        await b.start()
    assert answer.status == 202, answer.body
    assert answer.replicas.keys() == {"a", "c"}
    assert world.held("compute", "servers") == {"a": 1, "b": 0, "c": 1}


async def test_any_takes_no_other_for_one_that_may_have_made_it(world):
    world.clouds["b"].faults.append(Fault("POST", "servers", 500))
    answer = await create(world, scope="*:any(2,a&b&c);identity:a")
    assert (answer.status, answer.headers["X-Scope-Uncertain"]) == (502, "b")
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}


async def test_an_alternative_is_taken_only_where_the_first_is_known_to_have_done_nothing(world):
    world.clouds["b"].faults.append(Fault("POST", "servers", 429))
    answer = await create(world, scope="*:a&(b|c);identity:a")
    assert answer.replicas.keys() == {"a", "c"}
    world.clouds["b"].faults[:] = [Fault("POST", "servers", 403)]
    answer = await create(world, scope="*:a&(b|c);identity:a")
    assert (answer.status, answer.rows) == (403, {"a": "undone", "b": "not made"})


async def test_a_client_that_leaves_leaves_it_to_be_finished(world):
    stop = world.clouds["b"].stop_at("POST", "servers")
    calling = asyncio.ensure_future(create(world))
    await stop.arrives()
    calling.cancel()
    await asyncio.wait([calling])
    stop.released.set()
    await eventually(lambda: world.held("compute", "servers") == {"a": 1, "b": 1, "c": 0})
    await gone(world)
    assert world.held("compute", "servers") == {"a": 1, "b": 1, "c": 0}


async def test_the_intent_is_recorded_before_the_first_byte(world):
    stop = world.clouds["a"].stop_at("POST", "servers")
    calling = asyncio.ensure_future(create(world))
    await stop.arrives()
    [intent] = world.journal()
    stop.released.set()
    await calling
    assert {one["cloud"] for one in intent["attempts"]} == {"a", "b"}
    assert intent["owner"] == {"home": "a", "project": "project-of-demo", "user": "id-of-demo"}
    assert sent(world.clouds["a"])["metadata"]["oidproxy_replica"] == intent["id"]


async def test_what_a_cloud_repeats_of_a_request_is_shown_but_not_written_down(world):
    world.clouds["b"].faults.append(Fault("POST", "servers", 503, repeats=True))
    answer = await create(world)
    repeated = world.clouds["b"].tokens[0]
    assert repeated
    assert repeated[:100] in answer.body.decode()
    assert world.journal()
    assert repeated[:100].encode() not in world.store.stored()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v2.1/servers", {"server": {"name": "x", "min_count": 2}}, 501),
        ("/v2.1/servers", {"instance": {}}, 400),
        ("/v2.1/servers", [1], 400),
        ("/v2.1/os-keypairs", {"keypair": {"name": "k"}}, 400),
        ("/v2.1/os-aggregates", {"aggregate": {"name": "k"}}, 501),
    ],
)
async def test_what_cannot_be_made_in_several_clouds_is_refused_before_anything_is_sent(
    world, path, body, status
):
    answer = await world.call("POST", "compute", path, body)
    assert answer.status == status, answer.body
    assert [cloud.count("POST", "") for cloud in world.clouds.values()] == [0, 0, 0]


async def test_a_key_pair_with_its_key_is_made_by_its_name(world):
    body = {"keypair": {"name": "k", "public_key": "ssh-ed25519 AAAA"}}
    answer = await world.call("POST", "compute", "/v2.1/os-keypairs", body)
    assert (answer.status, answer.replicas) == (201, {"a": "k", "b": "k"})


async def test_a_user_whom_one_cloud_does_not_admit_makes_nothing_anywhere(world):
    answer = await create(world, user="demo", scope="*:a&b;identity:b")
    assert answer.status == 401
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}


# Sets between `|`.


@pytest.mark.parametrize("scope", ["*:(a&b)|c;identity:a", "*:any(2,a&b)|c;identity:a"])
async def test_the_next_set_is_tried_where_nothing_can_have_been_made_in_the_first(world, scope):
    """b has too much to do (429), so it did nothing; what a made is undone."""
    world.clouds["b"].faults.append(Fault("POST", "servers", 429))
    answer = await create(world, scope=scope)
    assert (answer.status, [*answer.replicas]) == (202, ["c"])
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 1}
    await gone(world)


async def test_the_first_set_is_all_where_it_can_be_made_there(world):
    answer = await create(world, scope="*:(a&b)|c;identity:a")
    assert (answer.status, [*answer.replicas]) == (202, ["a", "b"])
    assert world.clouds["c"].asked == []


@pytest.mark.parametrize(("status", "rows"), [(403, "not made"), (502, "uncertain")])
async def test_no_other_set_is_tried_after_an_answer_or_where_it_may_have_been_made(world, status, rows):
    world.clouds["b"].faults.append(Fault("POST", "servers", status))
    answer = await create(world, scope="*:(a&b)|c;identity:a")
    assert (answer.status, answer.rows) == (status, {"a": "undone", "b": rows})
    assert world.clouds["c"].asked == []


async def test_the_next_set_is_tried_where_the_first_does_not_say_whether_it_has_what_is_named(world):
    for cloud in ("a", "c"):
        world.clouds[cloud].of("compute", "flavors")["1"] = {"id": "1", "name": "small"}
    world.clouds["b"].faults.append(Fault("GET", "flavors", 503))
    body = {"server": {"name": "x", "flavorRef": "1"}}
    answer = await world.call("POST", "compute", "/v2.1/servers", body, scope="*:(a&b)|c;identity:a")
    assert (answer.status, [*answer.replicas]) == (202, ["c"])
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 1}


# Read again.


async def test_while_a_cloud_is_silent_its_replica_is_read_in_another(world):
    ids = (await create(world)).replicas
    world.clouds["b"].faults.append(Fault("GET", "servers", 503))
    answer = await world.call("GET", "compute", f"/v2.1/servers/{ids['b']}")
    assert (answer.status, answer.json["server"]["id"]) == (200, ids["a"])
    other = await world.call("GET", "compute", f"/v2.1/servers/{ids['b']}", user="other")
    assert other.status == 504
