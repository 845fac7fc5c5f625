"""Asked of the one cloud that is known to hold an item: as one cloud's answer, or nothing of it is seen."""

from __future__ import annotations

import asyncio
import time

import pytest

from oidproxy.proxy import hedging
from tests.manyclouds import fleet as clouds
from tests.manyclouds.fleet import Cloud, fleet, named, request
from tests.wire.rig import eventually

EVERYWHERE = "*:*;identity:cloud-1"
SERVER = "0f4a3d2e-7b1c-4a6d-9e8f-5c2b1a0d3e4f"
PATH = f"/compute/v2.1/servers/{SERVER}"


@pytest.fixture
async def three(tmp_path):
    made = [Cloud(name) for name in named(3)]
    for one in made:
        one.rows = {"servers": []}
    made[1].rows["servers"] = [{"id": SERVER, "name": "vm", "links": made[1].links("servers", SERVER)}]
    async with fleet(tmp_path, made) as running:
        assert (await running.ask(PATH, EVERYWHERE)).status == 200
        forget(running)
        yield running


def forget(running) -> None:
    for cloud in running.clouds.values():
        cloud.calls.clear()


def asked(running) -> dict[str, int]:
    """How often each was asked."""
    return {name: len(cloud.calls) for name, cloud in running.clouds.items() if cloud.calls}


def busy(running) -> int:
    return sum(one.busy for one in running.proxy.serving.upstreams.stats())


async def test_one_cloud_is_asked_once_and_its_answer_is_that_of_a_plain_forward(three):
    found = await three.ask(PATH, EVERYWHERE)
    plain = await three.ask(PATH, "compute:cloud-2")
    assert asked(three) == {"cloud-2": 2}
    assert (found.status, found.body) == (plain.status, plain.body)
    heads = [call.head.replace(b"\r\n", b"\n").split(b"\n") for call in three["cloud-2"].calls]
    names = [[line.partition(b":")[0] for line in head] for head in heads]
    assert names[0] == names[1]


async def test_the_access_line_names_the_cloud_that_answered(three):
    await three.ask(PATH, EVERYWHERE)
    three.proxy.serving.access.flush()
    line = three.proxy.log.read_text().splitlines()[-1]
    assert '"cloud":"cloud-2"' in line


async def test_what_is_not_there_any_more_is_looked_for_elsewhere_and_nobody_is_asked_twice(three):
    three["cloud-3"].rows["servers"], three["cloud-2"].rows["servers"] = three["cloud-2"].rows["servers"], []
    answer = await three.ask(PATH, EVERYWHERE)
    assert (answer.status, answer.json["server"]["name"]) == (200, "vm")
    assert asked(three) == {"cloud-1": 1, "cloud-2": 1, "cloud-3": 1}
    three["cloud-3"].rows["servers"] = []
    assert (await three.ask(PATH, EVERYWHERE)).status == 404


@pytest.mark.parametrize("fault", [clouds.reset, clouds.nonsense, clouds.says(503), clouds.says(429)])
async def test_a_holder_that_fails_is_named_where_nobody_else_has_it(three, fault):
    three["cloud-2"].fault = fault
    answer = await three.ask(PATH, EVERYWHERE)
    assert answer.status == 504
    assert answer.clouds["failed"] == "cloud-2"
    three["cloud-1"].rows["servers"] = [{"id": SERVER, "name": "copy"}]
    answer = await three.ask(PATH, EVERYWHERE)
    assert (answer.status, answer.json["server"]["name"]) == (200, "copy")


async def test_a_holder_to_which_there_is_no_connection_is_named_too(three):
    await three["cloud-2"].die()
    answer = await three.ask(PATH, EVERYWHERE)
    assert (answer.status, answer.clouds["failed"]) == (504, "cloud-2")


async def test_an_answer_that_breaks_off_is_cut_short_as_one_clouds_is(three):
    async def cut(cloud, writer, reply):
        writer.write(reply[:-10])
        await writer.drain()

    three["cloud-2"].fault = cut
    peer = await three.proxy.client()
    await peer.send(request(PATH, EVERYWHERE))
    assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
    assert not (await peer.rest()).endswith(b"0\r\n\r\n")


async def test_a_wrong_request_is_told_what_is_wrong_by_the_cloud(three):
    three["cloud-2"].fault = clouds.says(406, {"computeFault": {"message": "Version 9.9 is not supported"}})
    answer = await three.ask(PATH, EVERYWHERE)
    assert answer.status == 406
    assert b"Version 9.9" in answer.body


async def test_others_are_asked_while_it_is_late_and_its_answer_counts_if_it_comes_first(three, monkeypatch):
    monkeypatch.setattr(hedging, "HEDGE", 0.1)
    monkeypatch.setattr(hedging, "TICK", 0.02)
    three["cloud-2"].latency = 0.6
    began = time.perf_counter()
    answer = await three.ask(PATH, EVERYWHERE)
    assert (answer.status, answer.json["server"]["name"]) == (200, "vm")
    assert time.perf_counter() - began < 1.1
    assert asked(three) == {"cloud-1": 1, "cloud-2": 1, "cloud-3": 1}


async def test_another_cloud_that_has_it_answers_for_one_that_is_too_late(three, monkeypatch):
    monkeypatch.setattr(hedging, "HEDGE", 0.1)
    monkeypatch.setattr(hedging, "TICK", 0.02)
    monkeypatch.setattr("oidproxy.manyclouds.finding.search.CLAIMED", 0.5)
    three["cloud-2"].latency = 20.0
    three["cloud-3"].rows["servers"] = [{"id": SERVER, "name": "copy"}]
    began = time.perf_counter()
    answer = await three.ask(PATH, EVERYWHERE)
    assert (answer.status, answer.json["server"]["name"]) == (200, "copy")
    assert time.perf_counter() - began < 3.0
    await eventually(lambda: busy(three) == 0)


async def test_a_client_that_leaves_leaves_nothing_behind(three, monkeypatch):
    monkeypatch.setattr(hedging, "HEDGE", 0.1)
    monkeypatch.setattr(hedging, "TICK", 0.02)
    three["cloud-2"].latency = 5.0
    peer = await three.proxy.client()
    await peer.send(request(PATH, EVERYWHERE))
    await eventually(lambda: bool(three["cloud-2"].calls))
    await peer.gone()
    await eventually(lambda: busy(three) == 0)
    await asyncio.sleep(0.2)
    assert asked(three) == {"cloud-2": 1}, "no search begins for nobody"
    assert three.proxy.serving.hedges._waiting == {}


async def test_in_order_means_in_order_whoever_is_known_to_hold_it(three):
    answer = await three.ask(PATH, "compute:cloud-1|cloud-2")
    assert answer.status == 200
    assert asked(three) == {"cloud-1": 1, "cloud-2": 1}


async def test_many_at_one_time_do_not_disturb_each_other(three):
    answers = await asyncio.gather(*(three.ask(PATH, EVERYWHERE) for _ in range(40)))
    assert {answer.status for answer in answers} == {200}
    assert asked(three) == {"cloud-2": 40}
    await eventually(lambda: busy(three) == 0)
