"""DELETE under `a & b`: gone everywhere, now or later; and PUT of data to all at once."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from tests.manyclouds.replicating.clouds import Fault
from tests.manyclouds.replicating.proxy import gone
from tests.wire.rig import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20


async def create(world, service="compute", path="/v2.1/servers", body=None):
    answer = await world.call("POST", service, path, body or {"server": {"name": "x"}})
    assert answer.status in {201, 202}, answer.body
    return answer.replicas


async def test_every_replica_is_deleted(world):
    ids = await create(world)
    answer = await world.call("DELETE", "compute", f"/v2.1/servers/{ids['b']}")
    assert (answer.status, answer.replicas) == (204, ids)
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}
    assert world.journal() == []
    answer = await world.call("DELETE", "compute", f"/v2.1/servers/{ids['a']}")
    assert answer.status == 404


async def test_what_is_gone_already_is_done(world):
    ids = await create(world)
    world.clouds["a"].of("compute", "servers").clear()
    answer = await world.call("DELETE", "compute", f"/v2.1/servers/{ids['a']}")
    assert answer.status == 204
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}


async def test_an_item_that_nobody_remembers_is_deleted_wherever_it_is(world):
    world.clouds["b"].of("compute", "servers")["old"] = {"id": "old"}
    assert (await world.call("DELETE", "compute", "/v2.1/servers/old")).status == 204
    assert (await world.call("DELETE", "compute", "/v2.1/servers/old")).status == 404


async def test_under_alternatives_only_its_owner_is_asked_to_delete(world):
    world.clouds["b"].of("compute", "servers")["old"] = {"id": "old"}
    answer = await world.call("DELETE", "compute", "/v2.1/servers/old", scope="*:a|b;identity:a")
    assert answer.status == 204
    assert world.clouds["a"].count("DELETE", "old") == 0


async def test_an_unreachable_cloud_is_a_202_and_deleted_when_its_user_calls_again(world):
    ids = await create(world)
    b = world.clouds["b"]
    await b.stop()
    try:
        answer = await world.call("DELETE", "compute", f"/v2.1/servers/{ids['a']}")
    finally:
        await b.start()
    assert (answer.status, answer.rows) == (202, {"a": "done", "b": "pending"})
    [left] = world.journal()
    assert [one["state"] for one in left["attempts"]] == ["undone", "undoing"]
    await world.call("GET", "compute", "/v2.1/servers/x", user="eve")
    assert world.held("compute", "servers")["b"] == 1
    await world.call("GET", "compute", "/v2.1/servers/x", scope="*:a;identity:a")
    await asyncio.sleep(0.3)
    assert world.held("compute", "servers")["b"] == 1, "b is not in the scope of this call"
    await world.call("GET", "compute", "/v2.1/servers/x")
    await gone(world)
    assert world.held("compute", "servers") == {"a": 0, "b": 0, "c": 0}


async def test_a_refusal_is_told_and_not_repeated(world):
    ids = await create(world)
    world.clouds["b"].faults.append(Fault("DELETE", "servers", 409))
    answer = await world.call("DELETE", "compute", f"/v2.1/servers/{ids['a']}")
    assert (answer.status, answer.rows) == (409, {"a": "done", "b": "failed"})
    assert world.journal() == []
    world.clouds["b"].faults.clear()
    assert (await world.call("DELETE", "compute", f"/v2.1/servers/{ids['a']}")).status == 204


async def test_a_key_pair_is_never_deleted_later_since_its_name_may_be_anothers_then(world):
    key = {"keypair": {"name": "k", "public_key": "ssh-ed25519 AAAA"}}
    await create(world, path="/v2.1/os-keypairs", body=key)
    world.clouds["b"].faults.append(Fault("DELETE", "os-keypairs", 500))
    answer = await world.call("DELETE", "compute", "/v2.1/os-keypairs/k")
    assert (answer.status, answer.rows) == (502, {"a": "done", "b": "uncertain"})
    assert world.journal() == []


# PUT of data.


async def pieces(size, piece=64 * 1024):
    for start in range(0, size, piece):
        yield bytes([start // piece % 251]) * min(piece, size - start)


async def whole(size):
    return b"".join([piece async for piece in pieces(size)])


async def upload(world, image, data, **headers):
    path = f"/v2/images/{image}/file"
    return await world.call("PUT", "image", path, data, Content_Type="application/octet-stream", **headers)


async def test_data_reach_all_clouds_whole(world):
    ids = await create(world, "image", "/v2/images", {"name": "x"})
    answer = await upload(world, ids["a"], pieces(3 * MIB + 5))
    assert answer.status == 204, answer.body
    wanted = hashlib.sha256(await whole(3 * MIB + 5)).digest()
    for name in "ab":
        assert hashlib.sha256(world.clouds[name].uploaded[ids[name]]).digest() == wanted
        assert world.clouds[name].of("image", "images")[ids[name]]["status"] == "active"


async def test_data_with_a_length_keep_it(world):
    ids = await create(world, "image", "/v2/images", {"name": "x"})
    data = await whole(MIB)
    assert (await upload(world, ids["a"], data)).status == 204
    assert {name: world.clouds[name].uploaded[ids[name]] == data for name in "ab"} == {"a": True, "b": True}


async def test_one_slow_cloud_holds_the_client(world):
    ids = await create(world, "image", "/v2/images", {"name": "x"})
    given = 0

    async def counted():
        nonlocal given
        async for piece in pieces(64 * MIB):
            given += len(piece)
            yield piece

    world.clouds["b"].reads = asyncio.Event()
    uploading = asyncio.ensure_future(upload(world, ids["a"], counted()))
    await eventually(lambda: given > MIB)
    before = -1
    while before != given:
        before = given
        await asyncio.sleep(0.3)
    assert given < 32 * MIB, "the rest waits at the client"
    world.clouds["b"].reads.set()
    assert (await uploading).status == 204
    assert {len(world.clouds[name].uploaded[ids[name]]) for name in "ab"} == {64 * MIB}


async def test_when_one_cloud_refuses_the_data_none_has_them(world):
    ids = await create(world, "image", "/v2/images", {"name": "x"})
    world.clouds["b"].faults.append(Fault("PUT", "file", 413))
    answer = await upload(world, ids["a"], pieces(16 * MIB))
    assert (answer.status, answer.rows) == (413, {"a": "failed", "b": "failed"})
    assert world.clouds["a"].of("image", "images")[ids["a"]]["status"] == "queued"


async def test_when_what_can_be_had_is_kept_the_others_have_them(world):
    ids = await create(world, "image", "/v2/images", {"name": "x"})
    world.clouds["b"].faults.append(Fault("PUT", "file", 413))
    answer = await upload(world, ids["a"], pieces(4 * MIB), X_Scope_On_Partial="keep")
    assert (answer.status, answer.rows) == (413, {"a": "done", "b": "failed"})
    assert len(world.clouds["a"].uploaded[ids["a"]]) == 4 * MIB


async def test_a_client_that_leaves_half_way_leaves_no_image_active(world):
    ids = await create(world, "image", "/v2/images", {"name": "x"})
    more = asyncio.Event()

    async def endless():
        async for piece in pieces(MIB):
            yield piece
        await more.wait()

    uploading = asyncio.ensure_future(upload(world, ids["a"], endless()))
    await eventually(lambda: len(world.clouds["b"].uploaded.get(ids["b"], b"")) == MIB)
    uploading.cancel()
    await asyncio.wait([uploading])
    await asyncio.sleep(0.2)
    for name in "ab":
        assert world.clouds[name].of("image", "images")[ids[name]]["status"] == "queued"
