"""`a | b`: who is asked, when the next one is, and that what may have happened is asked of nobody else."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.manyclouds import fleet as clouds
from tests.manyclouds.fleet import Cloud, fleet, named, request
from tests.wire.rig import eventually

EITHER = "image+compute+network:cloud-2|cloud-3"
NEW = {"name": "new"}


@pytest.fixture
def made():
    return [
        Cloud(
            name,
            {
                "images": [{"id": f"{name}-i", "name": "i", "created_at": "2026-01-01T00:00:00Z"}],
                "servers": [{"id": f"{name}-s", "links": []}],
                "networks": [],
            },
        )
        for name in named(3)
    ]


@pytest.fixture
async def three(tmp_path, made):
    async with fleet(tmp_path, made, limits={"fan_out": "2s"}) as running:
        yield running


async def test_the_first_that_serves_answers_byte_for_byte(three):
    alone = await three.ask("/image/v2/images", "image:cloud-2")
    either = await three.ask("/image/v2/images", EITHER)
    assert (either.status, either.body) == (200, alone.body)
    assert three["cloud-3"].got() == []


READS = {
    "reset": clouds.reset,
    "silent": clouds.silent,
    "no HTTP": clouds.nonsense,
    "500": clouds.says(500),
    "503": clouds.says(503),
    "429": clouds.says(429),
}


@pytest.mark.parametrize("fault", READS)
@pytest.mark.parametrize("path", ["/image/v2/images", "/image/v2/images/cloud-3-i"])
async def test_reading_goes_on_from_a_cloud_that_cannot_serve(three, path, fault):
    three["cloud-2"].fault = READS[fault]
    began = time.monotonic()
    answer = await three.ask(path, EITHER)
    assert time.monotonic() - began < 2.0
    assert answer.status == 200
    assert b"cloud-3-i" in answer.body


async def test_reading_goes_on_from_a_dead_cloud(three):
    await three["cloud-2"].die()
    assert b"cloud-3-i" in (await three.ask("/image/v2/images", EITHER)).body


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
async def test_any_other_4xx_of_a_collection_is_the_answer(three, status):
    three["cloud-2"].fault = clouds.says(status)
    assert (await three.ask("/image/v2/images", EITHER)).status == status
    assert three["cloud-3"].got() == []


async def test_an_item_that_is_not_there_is_looked_for_in_the_next_one(three):
    answer = await three.ask("/image/v2/images/cloud-3-i", EITHER)
    assert (answer.status, answer.json["id"]) == (200, "cloud-3-i")
    assert len(three["cloud-2"].got()) == 1
    assert (await three.ask("/image/v2/images/nobodys", EITHER)).status == 404


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_any_other_4xx_of_an_item_is_the_answer(three, status):
    three["cloud-2"].fault = clouds.says(status)
    assert (await three.ask("/image/v2/images/cloud-3-i", EITHER)).status == status
    assert three["cloud-3"].got() == []


async def test_where_none_serves_the_last_ones_words_are_told(three):
    three["cloud-2"].fault = clouds.says(503)
    three["cloud-3"].fault = clouds.says(500)
    assert (await three.ask("/image/v2/images", EITHER)).status == 500
    await three["cloud-3"].die()
    answer = await three.ask("/image/v2/images", EITHER)
    assert (answer.status, answer.field("X-Oidproxy-Error")) == (502, "connect-refused")


async def test_an_answer_that_breaks_off_after_its_head_is_the_answer(three):
    three["cloud-2"].fault = clouds.broken
    peer = await three.proxy.client()
    await peer.send(request("/image/v2/images", EITHER))
    got = await peer.rest()
    assert got.startswith(b"HTTP/1.1 200 ")
    assert b"cloud-3-i" not in got
    assert three["cloud-3"].got() == []


async def test_what_creates_makes_one_resource(three):
    answer = await three.ask("/image/v2/images", EITHER, method="POST", body=NEW)
    assert (answer.status, answer.json["id"]) == (201, "cloud-2-new")
    assert three["cloud-2"].got("POST")[0].body == b'{"name": "new"}'
    assert three["cloud-3"].got() == []


async def test_the_next_one_is_asked_where_the_first_is_known_not_to_have_made_it(three):
    three["cloud-2"].fault = clouds.says(429)
    answer = await three.ask("/image/v2/images", EITHER, method="POST", body=NEW)
    assert (answer.status, answer.json["id"]) == (201, "cloud-3-new")
    await three["cloud-2"].die()
    answer = await three.ask("/image/v2/images", EITHER, method="POST", body=NEW)
    assert (answer.status, answer.json["id"]) == (201, "cloud-3-new")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (clouds.reset, 502),
        (clouds.nonsense, 502),
        (clouds.says(500), 502),
        (clouds.says(503), 502),
        (clouds.says(504), 502),
    ],
)
async def test_what_may_have_happened_is_asked_of_nobody_else(three, fault, status):
    three["cloud-2"].fault = fault
    answer = await three.ask("/image/v2/images", EITHER, method="POST", body=NEW)
    assert (answer.status, answer.field("X-Scope-Uncertain")) == (status, "cloud-2")
    assert "may have done what was asked" in answer.message
    assert three["cloud-3"].got() == []


async def test_a_creation_that_is_not_answered_is_a_504_and_uncertain(tmp_path, made):
    made[1].fault = clouds.silent
    async with fleet(tmp_path, made, limits={"first_byte": "300ms"}) as three:
        answer = await three.ask(
            "/network/v2.0/networks", EITHER, method="POST", body={"network": {"name": "n"}}
        )
        assert (answer.status, answer.field("X-Scope-Uncertain")) == (504, "cloud-2")
        assert three["cloud-3"].got() == []


@pytest.mark.parametrize("status", [400, 403, 409])
async def test_a_refusal_of_a_creation_is_the_answer(three, status):
    three["cloud-2"].fault = clouds.says(status)
    answer = await three.ask("/image/v2/images", EITHER, method="POST", body=NEW)
    assert (answer.status, answer.field("X-Scope-Uncertain")) == (status, None)
    assert three["cloud-3"].got() == []


async def test_a_cloud_without_the_service_is_no_alternative(tmp_path, made):
    of = {"cloud-2": {"endpoints": {"identity": "http://127.0.0.1:1/v3"}}}
    async with fleet(tmp_path, made, of=of) as three:
        assert b"cloud-3-i" in (await three.ask("/image/v2/images", "image:cloud-2|cloud-3")).body


async def test_a_client_that_leaves_ends_the_call_and_asks_nobody_else(three):
    three["cloud-2"].fault = clouds.silent
    peer = await three.proxy.client()
    await peer.send(request("/image/v2/images", EITHER))
    await eventually(three["cloud-2"].got)
    peer.reset()
    await eventually(lambda: three["cloud-2"].gone, 0.5)
    await asyncio.sleep(0.1)
    assert three["cloud-3"].got() == []


async def test_large_answers_are_passed_on_with_flow_control(three):
    rows = [{"id": f"{n}", "name": "x" * 1000, "created_at": "2026-01-01T00:00:00Z"} for n in range(2000)]
    three["cloud-3"].rows["images"] = rows
    three["cloud-2"].fault = clouds.says(503)
    answer = await three.ask("/image/v2/images", EITHER)
    assert len(answer.json["images"]) == 2000


async def test_links_are_those_of_the_cloud_that_served(three):
    three["cloud-3"].rows["servers"] = [{"id": "s", "links": three["cloud-3"].links("servers", "s")}]
    three["cloud-2"].fault = clouds.says(503)
    answer = await three.ask("/compute/v2.1/servers", EITHER)
    assert answer.body == (await three.ask("/compute/v2.1/servers", "compute:cloud-3")).body
    assert answer.json["servers"][0]["links"][0]["href"].startswith("http://proxy/")
