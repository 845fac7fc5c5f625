"""Find as clients see it: through the proxy, from the first byte of a request to the last of its answer."""

from __future__ import annotations

import json

import pytest

from tests.manyclouds import fleet as clouds
from tests.manyclouds.fleet import Cloud, fleet, named

EVERYWHERE = "*:*;identity:cloud-1"
IMAGE = "7d1f4a3d-2e7b-4c1a-9d6e-8f5c2b1a0d3e"
SERVER = "0f4a3d2e-7b1c-4a6d-9e8f-5c2b1a0d3e4f"
NETWORK = "2c4a3d2e-7b1c-4a6d-9e8f-5c2b1a0d3e4f"
NOWHERE = "ffffffff-7b1c-4a6d-9e8f-5c2b1a0d3e4f"
LOCATE = "/.well-known/oidproxy/locate"


@pytest.fixture
def made():
    found = [Cloud(name) for name in named(3)]
    for one in found:
        one.rows = {"images": [], "servers": [], "networks": []}
    _, two, three = found
    two.rows["servers"] = [
        {"id": SERVER, "name": "vm", "created": "2026", "links": two.links("servers", SERVER)}
    ]
    three.rows["images"] = [{"id": IMAGE, "name": "cirros", "created_at": "2026", "status": "active"}]
    return found


@pytest.fixture
async def three(tmp_path, made):
    async with fleet(tmp_path, made) as running:
        yield running


def asked(running) -> set[str]:
    """Who was asked since the last time."""
    found = {name for name, cloud in running.clouds.items() if cloud.calls}
    for cloud in running.clouds.values():
        cloud.calls.clear()
    return found


async def test_an_item_is_found_and_answered_as_one_cloud_would_through_one_cloud(three):
    answer = await three.ask(f"/compute/v2.1/servers/{SERVER}", EVERYWHERE)
    assert answer.status == 200
    assert asked(three) == {"cloud-1", "cloud-2", "cloud-3"}
    alone = await three.ask(f"/compute/v2.1/servers/{SERVER}", "compute:cloud-2")
    assert answer.json == alone.json
    [link] = answer.json["server"]["links"]
    assert link["href"].startswith("http://proxy/")


async def test_what_a_list_told_is_known_when_it_is_asked_for(three):
    await three.ask("/image/v2/images", EVERYWHERE)
    asked(three)
    answer = await three.ask(f"/image/v2/images/{IMAGE}", EVERYWHERE)
    assert (answer.status, answer.json["name"]) == (200, "cirros")
    assert asked(three) == {"cloud-3"}


async def test_a_head_has_the_head_of_that_answer_and_no_body(three):
    answer = await three.ask(f"/image/v2/images/{IMAGE}", EVERYWHERE, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert {call.method for cloud in three.clouds.values() for call in cloud.calls} == {"HEAD"}


@pytest.mark.parametrize("location", [True, False])
async def test_what_was_made_in_one_cloud_is_known_when_it_is_asked_for_in_all(three, location):
    fields = (f"Location: http://127.0.0.1:1/v2.0/networks/{NETWORK}",) if location else ()
    three["cloud-2"].fault = clouds.says(201, {"network": {"id": NETWORK, "name": "n"}}, *fields)
    made = await three.ask("/network/v2.0/networks", "network:cloud-2", method="POST", body={"network": {}})
    assert made.json["network"]["id"] == NETWORK
    three["cloud-2"].fault = None
    three["cloud-2"].rows["networks"] = [{"id": NETWORK, "name": "n"}]
    asked(three)
    answer = await three.ask(f"/network/v2.0/networks/{NETWORK}", EVERYWHERE)
    assert answer.json == {"network": {"id": NETWORK, "name": "n"}}
    assert asked(three) == {"cloud-2"}


async def test_data_come_as_they_are_however_many_and_by_the_item_that_they_belong_to(three):
    data = bytes(range(256)) * 8192

    async def serve(cloud, writer, reply):
        target = cloud.calls[-1].target
        if not target.endswith("/file"):
            writer.write(reply)
            return
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
        writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()

    three["cloud-3"].fault = serve
    answer = await three.ask(f"/image/v2/images/{IMAGE}/file", EVERYWHERE)
    assert (answer.status, answer.body) == (200, data)


async def test_what_no_cloud_has_is_a_404_of_ours(three):
    answer = await three.ask(f"/compute/v2.1/servers/{NOWHERE}", EVERYWHERE)
    assert (answer.status, answer.field("X-Oidproxy-Error")) == (404, "not-found")
    assert answer.json["error"]["code"] == 404


async def test_what_is_not_known_is_a_504_that_names_who_is_silent(three):
    await three["cloud-2"].die()
    answer = await three.ask(f"/compute/v2.1/servers/{NOWHERE}", EVERYWHERE)
    assert (answer.status, answer.field("X-Oidproxy-Error")) == (504, "undecided")
    assert "cloud-2" in answer.message
    assert answer.clouds == {"ok": "2", "failed": "cloud-2", "skipped": "0"}


async def test_two_things_under_one_id_are_a_300_with_the_clouds(three):
    three["cloud-1"].rows["servers"] = [{"id": SERVER, "name": "another", "created": "2025"}]
    answer = await three.ask(f"/compute/v2.1/servers/{SERVER}", EVERYWHERE)
    assert (answer.status, answer.field("X-Oidproxy-Error")) == (300, "ambiguous")
    assert answer.field("X-Scope-Candidates") == "cloud-1,cloud-2"
    assert "cloud-1, cloud-2" in answer.message


async def test_clouds_that_do_not_admit_the_user_are_neither_asked_nor_told(tmp_path, made):
    async with fleet(tmp_path, made, of={"cloud-2": {"admits": {}}}) as running:
        answer = await running.ask(f"/compute/v2.1/servers/{SERVER}", EVERYWHERE)
        assert answer.status == 404
        assert asked(running) == {"cloud-1", "cloud-3"}
        assert b"cloud-2" not in answer.head + answer.body
        located = await running.ask(f"{LOCATE}?id={SERVER}", "*")
        assert located.json == {"id": SERVER, "found": [], "asked": 2, "failed": {}}


async def test_without_a_scope_of_many_only_the_home_is_asked(three):
    answer = await three.ask(f"/compute/v2.1/servers/{SERVER}")
    assert answer.status == 404
    assert asked(three) == {"cloud-1"}


# The page.


async def test_the_page_says_where_an_id_is_and_as_what(three):
    answer = await three.ask(f"{LOCATE}?id={SERVER}", "*")
    assert answer.status == 200
    assert answer.json == {
        "id": SERVER,
        "found": [
            {
                "cloud": "cloud-2",
                "service": "compute",
                "collection": "servers",
                "name": "vm",
                "status": None,
            }
        ],
        "asked": 3,
        "failed": {},
    }
    image = await three.ask(f"{LOCATE}?id={IMAGE}", "*")
    assert [(one["cloud"], one["collection"]) for one in image.json["found"]] == [("cloud-3", "images")]


async def test_the_page_asks_first_whom_it_knows_of_and_all_where_that_is_wanted(three):
    await three.ask(f"{LOCATE}?id={SERVER}", "*")
    asked(three)
    answer = await three.ask(f"{LOCATE}?id={SERVER}", "*")
    assert answer.json["asked"] == 1
    assert asked(three) == {"cloud-2"}
    three["cloud-3"].rows["servers"] = [{"id": SERVER, "name": "again", "status": "ACTIVE"}]
    answer = await three.ask(f"{LOCATE}?id={SERVER}&all=1", "*")
    found = {(one["cloud"], one["name"], one["status"]) for one in answer.json["found"]}
    assert found == {("cloud-2", "vm", None), ("cloud-3", "again", "ACTIVE")}


async def test_the_page_may_be_asked_for_one_kind_alone(three):
    answer = await three.ask(f"{LOCATE}?id={SERVER}&resource=nova/servers", "*")
    assert [one["cloud"] for one in answer.json["found"]] == ["cloud-2"]
    assert all("/servers/" in call.target for cloud in three.clouds.values() for call in cloud.calls)
    answer = await three.ask(f"{LOCATE}?id={SERVER}&resource=image/images", "*")
    assert answer.json["found"] == []


async def test_the_page_names_clouds_that_do_not_answer(three):
    await three["cloud-3"].die()
    answer = await three.ask(f"{LOCATE}?id={NOWHERE}&resource=image/images", "*")
    assert answer.json["found"] == []
    assert [*answer.json["failed"]] == ["cloud-3"]
    assert json.dumps(answer.json["failed"]).count("token") == 0


async def test_the_page_keeps_to_the_scope_that_it_is_asked_under(three):
    answer = await three.ask(f"{LOCATE}?id={SERVER}", "compute:cloud-1&cloud-3;identity:cloud-1")
    assert answer.json["found"] == []
    assert "cloud-2" not in asked(three)


@pytest.mark.parametrize(
    "question", ["", "?id=", "?id=..", "?id=a%2Fb", "?id=a%20b", "?id=a%0D%0Ab", f"?id={'a' * 300}"]
)
async def test_what_is_no_id_is_asked_of_nobody(three, question):
    answer = await three.ask(f"{LOCATE}{question}", "*")
    assert answer.status == 400
    assert asked(three) == set()


@pytest.mark.parametrize(
    "resource", ["servers", "nova/servers/x", "object-store/containers", "compute/os-..", "/"]
)
async def test_what_is_no_collection_is_asked_of_nobody(three, resource):
    answer = await three.ask(f"{LOCATE}?id={SERVER}&resource={resource}", "*")
    assert answer.status in {400, 501}
    assert asked(three) == set()


async def test_the_page_needs_a_good_token(three):
    assert (await three.ask(f"{LOCATE}?id={SERVER}", "*", X_Auth_Token=None)).status == 401
