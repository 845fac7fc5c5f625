"""PUT, PATCH and actions under `a & b`: every replica, with the ids that each cloud knows."""

from __future__ import annotations

import json

import pytest

from tests.manyclouds.replicating.clouds import Claim, Fault

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLAVORS = {"a": {"1": "small", "2": "large"}, "b": {"1": "large", "7": "small"}}
HASH = {"os_hash_algo": "sha512", "status": "active", "size": 4}


async def create(world, service="compute", path="/v2.1/servers", body=None, **headers):
    answer = await world.call("POST", service, path, body or {"server": {"name": "x"}}, **headers)
    assert answer.status in {201, 202}, answer.body
    return answer.replicas


def asked(world, method, end=""):
    """Cloud -> paths and bodies of its requests by this method."""
    return {
        name: [(path, body) for found, path, body in cloud.asked if found == method and path.endswith(end)]
        for name, cloud in world.clouds.items()
        if any(found == method and path.endswith(end) for found, path, _ in cloud.asked)
    }


async def test_a_change_reaches_every_replica_under_its_own_id(world):
    ids = await create(world)
    body = {"server": {"name": "renamed"}}
    answer = await world.call("PUT", "compute", f"/v2.1/servers/{ids['a']}", body)
    assert (answer.status, answer.replicas) == (200, ids)
    assert answer.json["server"]["id"] == ids["a"]
    for cloud in ("a", "b"):
        assert world.clouds[cloud].of("compute", "servers")[ids[cloud]]["name"] == "renamed"


async def test_the_id_of_any_replica_names_all_of_them(world):
    ids = await create(world)
    await world.call("PUT", "compute", f"/v2.1/servers/{ids['b']}", {"server": {"name": "renamed"}})
    assert world.clouds["a"].of("compute", "servers")[ids["a"]]["name"] == "renamed"


async def test_replicas_outside_the_scope_are_not_touched(world):
    ids = await create(world, scope="*:a&b&c;identity:a")
    await world.call("PUT", "compute", f"/v2.1/servers/{ids['a']}", {"server": {"name": "renamed"}})
    names = {c: world.clouds[c].of("compute", "servers")[ids[c]]["name"] for c in "abc"}
    assert names == {"a": "renamed", "b": "renamed", "c": "x"}


async def test_an_action_keeps_its_body_byte_for_byte_where_it_names_nothing(world):
    ids = await create(world)
    body = b'{"reboot" : {"type": "HARD"}}'
    answer = await world.call(
        "POST", "compute", f"/v2.1/servers/{ids['a']}/action", body, Content_Type="application/json"
    )
    assert answer.status == 202
    found = asked(world, "POST", "/action")
    assert found == {c: [(f"/compute/v2.1/servers/{ids[c]}/action", body)] for c in "ab"}


@pytest.mark.parametrize("metadata", [{}, {"a": "b"}], ids=["Location", "body"])
async def test_the_images_that_an_action_makes_are_replicas(world, metadata):
    ids = await create(world)
    action = {"createImage": {"name": "x", "metadata": metadata}}
    answer = await world.call("POST", "compute", f"/v2.1/servers/{ids['a']}/action", action)
    assert answer.status == 202
    [image] = world.clouds["b"].of("image", "images")
    assert (await world.call("DELETE", "image", f"/v2/images/{image}")).status == 204
    assert world.held("image", "images") == {"a": 0, "b": 0, "c": 0}


async def test_flavors_in_bodies_are_those_of_the_same_name(world):
    for cloud, flavors in FLAVORS.items():
        world.clouds[cloud].of("compute", "flavors").update(
            {key: {"id": key, "name": name} for key, name in flavors.items()}
        )
    del world.clouds["b"].of("compute", "flavors")["1"]
    ids = await create(world)
    await world.call("POST", "compute", f"/v2.1/servers/{ids['a']}/action", {"resize": {"flavorRef": "1"}})
    bodies = {cloud: json.loads(body) for cloud, [(_, body)] in asked(world, "POST", "/action").items()}
    assert bodies == {"a": {"resize": {"flavorRef": "1"}}, "b": {"resize": {"flavorRef": "7"}}}


async def test_one_flavor_id_with_two_names_is_nobodys_counterpart(world):
    for cloud, flavors in FLAVORS.items():
        world.clouds[cloud].of("compute", "flavors").update(
            {key: {"id": key, "name": name} for key, name in flavors.items()}
        )
    answer = await world.call("POST", "compute", "/v2.1/servers", {"server": {"flavorRef": "1"}})
    assert (answer.status, answer.rows) == (409, {"a": "no counterpart", "b": "no counterpart"})
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}


def image(world, cloud, name, value="h"):
    found = {"id": f"{name * 8}-0000-4000-8000-00000000000a", "os_hash_value": value, **HASH}
    world.clouds[cloud].of("image", "images")[found["id"]] = found
    return found["id"]


async def test_images_in_bodies_are_those_with_the_same_data(world):
    first, second = image(world, "a", "1"), image(world, "b", "2")
    image(world, "b", "3", "other")
    await create(world, body={"server": {"imageRef": f"http://x/images/{first}"}})
    bodies = {cloud: json.loads(body) for cloud, [(_, body)] in asked(world, "POST").items()}
    assert bodies["a"]["server"]["imageRef"] == f"http://x/images/{first}"
    assert bodies["b"]["server"]["imageRef"] == f"http://x/images/{second}"


async def test_an_image_that_one_cloud_lacks_is_a_409_with_its_row_and_nothing_is_sent(world):
    found = image(world, "a", "1")
    answer = await world.call("POST", "compute", "/v2.1/servers", {"server": {"imageRef": found}})
    assert (answer.status, answer.rows) == (409, {"b": "no counterpart"})
    assert answer.json["clouds"][0]["id"] == found
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}
    assert world.journal() == []


async def test_a_cloud_that_claims_an_images_id_for_other_data_gains_no_server(world):
    found = image(world, "a", "1")
    image(world, "b", "1", "evil")
    answer = await world.call("POST", "compute", "/v2.1/servers", {"server": {"imageRef": found}})
    assert (answer.status, answer.rows) == (409, {"a": "no counterpart", "b": "no counterpart"})


async def test_images_that_one_cloud_serves_to_all_keep_their_ids(world):
    found = image(world, "a", "1")
    await create(world, body={"server": {"imageRef": found}}, scope="compute:a&b;identity+image:a")
    bodies = {cloud: json.loads(body) for cloud, [(_, body)] in asked(world, "POST").items()}
    assert bodies["a"]["server"]["imageRef"] == bodies["b"]["server"]["imageRef"] == found


async def test_networks_in_bodies_are_replicas_and_users_texts_stay(world):
    ids = await create(world, "network", "/v2.0/networks", {"network": {"name": "n"}})
    body = {"port": {"network_id": ids["b"], "name": ids["a"], "tags": [ids["a"]]}}
    await create(world, "network", "/v2.0/ports", body)
    for cloud in "ab":
        [port] = world.clouds[cloud].of("network", "ports").values()
        assert (port["network_id"], port["name"], port["tags"]) == (ids[cloud], ids["a"], [ids["a"]])


async def test_a_cloud_that_names_its_resource_like_anothers_makes_that_name_mean_nothing(world):
    """b answers with the id of what a has of another replica: a request by that id reaches neither."""
    first = await create(world)
    victim = first["a"]
    world.clouds["b"].faults.append(Claim("POST", "servers", victim))
    second = await create(world)
    assert second["b"] == victim
    answer = await world.call("PUT", "compute", f"/v2.1/servers/{victim}", {"server": {"name": "y"}})
    assert (answer.status, answer.rows) == (300, {"a": "here", "b": "here"})
    assert asked(world, "PUT") == {}
    answer = await world.call("PUT", "compute", f"/v2.1/servers/{second['a']}", {"server": {"name": "y"}})
    assert (answer.status, answer.replicas) == (200, second)


async def test_what_is_no_replica_has_no_counterpart(world):
    stranger = "0b1f4b3e-0000-4000-8000-00000000000a"
    body = {"port": {"network_id": stranger, "description": stranger}}
    answer = await world.call("POST", "network", "/v2.0/ports", body)
    assert (answer.status, answer.rows) == (409, {"a": "no counterpart", "b": "no counterpart"})


async def test_another_projects_replicas_are_nobodys(world):
    ids = await create(world)
    answer = await world.call(
        "PUT", "compute", f"/v2.1/servers/{ids['a']}", {"server": {"name": "theirs"}}, user="eve"
    )
    # To eve it is what a shows of it, as with one cloud; b's replica is not reached.
    assert answer.status == 200
    assert world.clouds["b"].of("compute", "servers")[ids["b"]]["name"] == "x"


async def test_an_item_that_nobody_remembers_is_changed_where_it_is(world):
    world.clouds["b"].of("compute", "servers")["old"] = {"id": "old", "name": "x"}
    answer = await world.call("PUT", "compute", "/v2.1/servers/old", {"server": {"name": "y"}})
    assert (answer.status, answer.json["server"]["name"]) == (200, "y")
    assert asked(world, "PUT").keys() == {"b"}


async def test_two_clouds_that_claim_one_id_get_nothing(world):
    for name in "ab":
        world.clouds[name].of("compute", "servers")["old"] = {"id": "old", "name": "x"}
    answer = await world.call("PUT", "compute", "/v2.1/servers/old", {"server": {"name": "y"}})
    assert (answer.status, answer.rows) == (300, {"a": "here", "b": "here"})
    assert asked(world, "PUT") == {}


async def test_while_a_cloud_is_silent_nothing_is_sent(world):
    world.clouds["b"].of("compute", "servers")["old"] = {"id": "old", "name": "x"}
    world.clouds["a"].faults.append(Fault("GET", "servers", 500))
    answer = await world.call("PUT", "compute", "/v2.1/servers/old", {"server": {"name": "y"}})
    assert (answer.status, answer.rows) == (504, {"a": "unknown", "b": "here"})
    assert asked(world, "PUT") == {}


async def test_an_item_that_nobody_has_is_a_404(world):
    answer = await world.call("PUT", "compute", "/v2.1/servers/none", {"server": {"name": "y"}})
    assert answer.status == 404


async def test_a_change_that_one_refuses_has_a_row_for_each(world):
    ids = await create(world)
    world.clouds["b"].faults.append(Fault("PUT", "servers", 409))
    answer = await world.call("PUT", "compute", f"/v2.1/servers/{ids['a']}", {"server": {"name": "y"}})
    assert (answer.status, answer.rows) == (409, {"a": "done", "b": "failed"})


async def test_a_change_that_may_have_happened_is_uncertain_and_not_repeated(world):
    ids = await create(world)
    world.clouds["b"].faults.append(Fault("PUT", "servers", 500, done=True))
    answer = await world.call("PUT", "compute", f"/v2.1/servers/{ids['a']}", {"server": {"name": "y"}})
    assert (answer.status, answer.rows) == (502, {"a": "done", "b": "uncertain"})
    assert answer.headers["X-Scope-Uncertain"] == "b"
    assert len(asked(world, "PUT")["b"]) == 1


async def test_a_change_that_all_refuse_alike_is_answered_in_the_first_ones_words(world):
    ids = await create(world)
    for name in "ab":
        world.clouds[name].faults.append(Fault("PUT", "servers", 409))
    answer = await world.call("PUT", "compute", f"/v2.1/servers/{ids['a']}", {"server": {"name": "y"}})
    assert (answer.status, answer.json["error"]["message"]) == (409, "it is a 409")


async def test_an_image_is_patched_in_every_cloud(world):
    ids = await create(world, "image", "/v2/images", {"name": "x"})
    change = [{"op": "replace", "path": "/name", "value": "y"}]
    kind = "application/openstack-images-v2.1-json-patch"
    answer = await world.call("PATCH", "image", f"/v2/images/{ids['a']}", change, Content_Type=kind)
    assert answer.status == 200
    names = {c: world.clouds[c].of("image", "images")[ids[c]]["name"] for c in "ab"}
    assert names == {"a": "y", "b": "y"}
