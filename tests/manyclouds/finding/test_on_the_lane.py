"""An item of several clouds takes the express lane to the one that holds it, and leaves it for a search."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest

from oidproxy.proxy import hedging
from oidproxy.proxy.recorder import Recorded, Recorder
from oidproxy.proxy.spread import Spread
from oidproxy.trace import recording
from oidproxy.trace.reading import open_trace
from tests.manyclouds import fleet as clouds
from tests.manyclouds.fleet import Cloud, fleet, named, read, request
from tests.proxy.test_hot_path import Instructions
from tests.wire.rig import eventually

SERVERS = [str(uuid.UUID(int=number << 40)) for number in range(1, 13)]
EVERYWHERE = "*:*;identity:cloud-1"


def path(number: int) -> str:
    return f"/compute/v2.1/servers/{SERVERS[number]}"


class Lane:
    """A client of three clouds, of which the second and the third have the servers in turn."""

    def __init__(self, running, peer) -> None:
        self.running = running
        self.peer = peer
        self.serving = running.proxy.serving
        self.finding = running.proxy.serving.many.find
        for number, item in enumerate(SERVERS):
            self.finding.made(f"cloud-{number % 2 + 2}", "compute", [item.encode()])

    @property
    def taken(self) -> int:
        return self.serving.express.taken

    async def ask(self, target: str, scope: str = EVERYWHERE):
        await self.peer.send(request(target, scope))
        return await read(self.peer)

    async def took(self, target: str, scope: str = EVERYWHERE):
        """How often the lane was taken, and the answer."""
        before = self.taken
        answer = await self.ask(target, scope)
        return self.taken - before, answer

    async def anew(self) -> None:
        """A connection that knows of no lane yet."""
        self.serving.express.stencils.clear()
        self.peer = await self.running.proxy.client()

    def calls(self) -> dict[str, int]:
        return {name: len(cloud.calls) for name, cloud in self.running.clouds.items() if cloud.calls}

    def forget(self) -> None:
        for cloud in self.running.clouds.values():
            cloud.calls.clear()

    def busy(self) -> int:
        return sum(one.busy for one in self.serving.upstreams.stats())


@pytest.fixture
async def lane(tmp_path):
    made = [Cloud(name) for name in named(3)]
    for one in made:
        one.rows = {"servers": []}
    for number, item in enumerate(SERVERS):
        cloud = made[number % 2 + 1]
        cloud.rows["servers"].append({"id": item, "name": "vm", "links": cloud.links("servers", item)})
    async with fleet(tmp_path, made) as running:
        found = Lane(running, await running.proxy.client())
        for number in range(10):
            assert (await found.ask(path(number))).status == 200
        assert found.taken > 0
        found.forget()
        yield found


def lines(cloud: Cloud) -> list[bytes]:
    return [line for line in cloud.calls[-1].head.split(b"\r\n") if not line.startswith(b"X-Openstack-Req")]


async def test_an_item_that_nobody_asked_for_before_goes_to_its_cloud_as_the_whole_way_sends_it(lane):
    took, answer = await lane.took(path(11))
    assert (took, lane.calls()) == (1, {"cloud-3": 1})
    sent = lines(lane.running["cloud-3"])
    await lane.anew()
    took, whole = await lane.took(path(11))
    assert (took, lane.calls()) == (0, {"cloud-3": 2})
    assert (answer.status, answer.json) == (whole.status, whole.json)
    assert f"http://127.0.0.1:{lane.running['cloud-3'].port}" not in answer.body.decode()
    assert lines(lane.running["cloud-3"]) == sent


async def test_the_access_lines_are_the_same(lane):
    await lane.ask(path(11))
    await lane.anew()
    await lane.ask(path(11))
    lane.serving.access.flush()
    told = [json.loads(line) for line in lane.running.proxy.log.read_text().splitlines()[-2:]]
    for line in told:
        for name in ("time", "ms", "first_byte_ms", "request_id"):
            del line[name]
    assert told[0] == told[1]
    assert told[0]["cloud"] == "cloud-3"


async def test_a_recording_tells_the_clouds_of_the_scope_on_it_as_off_it(lane, tmp_path):
    begun = recording.begin(tmp_path / "traces", size=8 << 20, part=1 << 20, bodies=False, workers=1)
    recorder = lane.serving.recorder = Recorder(begun, [], Recorded())
    assert (await lane.took(path(10)))[0] == 1
    await lane.anew()
    assert (await lane.took(path(10)))[0] == 0
    lane.serving.recorder = None
    recorder.close()
    told = [(line.clouds, line.asked, line.cloud) for line in open_trace(begun.folder).lines()]
    assert told == 2 * [(["cloud-1", "cloud-2", "cloud-3"], ["cloud-2"], "cloud-2")]


async def test_what_is_in_no_index_or_at_several_clouds_is_searched(lane):
    unknown, twice = f"{uuid.UUID(int=77)}", f"{uuid.UUID(int=78)}"
    lane.running["cloud-2"].rows["servers"].append({"id": unknown, "name": "new"})
    took, answer = await lane.took(f"/compute/v2.1/servers/{unknown}")
    assert (took, answer.status) == (0, 200)
    lane.finding.made("cloud-2", "compute", [twice.encode()])
    lane.finding.made("cloud-3", "compute", [twice.encode()])
    took, answer = await lane.took(f"/compute/v2.1/servers/{twice}")
    assert (took, answer.status) == (0, 404)


@pytest.mark.parametrize(
    "target", ["/compute/v2.1/servers", "/compute/v2.1/servers/detail", "/compute/v2.1/flavors/1"]
)
async def test_collections_and_what_is_no_id_do_not_take_it(lane, target):
    took, _ = await lane.took(target)
    assert took == 0


async def test_another_scope_does_not_take_it(lane):
    took, answer = await lane.took(path(1), "compute:cloud-1&cloud-2;identity:cloud-1")
    assert (took, answer.status) == (0, 404)


@pytest.mark.parametrize("target", ["/compute/v2.1/extensions/os-x", "/compute/v2.1/extensions"])
async def test_what_one_cloud_says_for_all_makes_no_way_for_anything_else(lane, target, monkeypatch):
    reply = Cloud.reply
    monkeypatch.setattr(
        Cloud,
        "reply",
        lambda cloud, method, path: (200, {}) if "/extensions" in path else reply(cloud, method, path),
    )
    await lane.anew()
    for _ in range(4):
        assert (await lane.took(target))[0] == 0
    lane.forget()
    took, answer = await lane.took("/compute/v2.1/servers")
    assert (took, lane.calls()) == (0, {"cloud-1": 1, "cloud-2": 1, "cloud-3": 1})
    assert len(answer.json["servers"]) == len(SERVERS)


async def test_what_moved_is_found_elsewhere_and_nobody_is_asked_twice(lane):
    first, second = (lane.running[name].rows for name in ("cloud-1", "cloud-2"))
    first["servers"], second["servers"] = second["servers"], []
    took, answer = await lane.took(path(10))
    assert (took, answer.status, answer.json["server"]["name"]) == (1, 200, "vm")
    assert lane.calls() == {"cloud-1": 1, "cloud-2": 1, "cloud-3": 1}
    await eventually(lambda: lane.busy() == 0)


@pytest.mark.parametrize("fault", [clouds.reset, clouds.nonsense, clouds.says(503), clouds.says(429)])
async def test_a_holder_that_fails_is_named(lane, fault):
    lane.running["cloud-2"].fault = fault
    took, answer = await lane.took(path(10))
    assert (took, answer.status, answer.clouds["failed"]) == (1, 504, "cloud-2")


async def test_others_are_asked_while_it_is_late_and_its_answer_counts(lane, monkeypatch):
    monkeypatch.setattr(hedging, "HEDGE", 0.1)
    monkeypatch.setattr(hedging, "TICK", 0.02)
    lane.running["cloud-2"].latency = 0.6
    took, answer = await lane.took(path(10))
    assert (took, answer.status) == (1, 200)
    assert lane.calls() == {"cloud-1": 1, "cloud-2": 1, "cloud-3": 1}
    assert lane.serving.hedges._waiting == {}


async def test_a_client_that_leaves_leaves_nothing_behind(lane, monkeypatch):
    monkeypatch.setattr(hedging, "HEDGE", 0.1)
    monkeypatch.setattr(hedging, "TICK", 0.02)
    lane.running["cloud-2"].latency = 5.0
    before = lane.taken
    await lane.peer.send(request(path(10), EVERYWHERE))
    await eventually(lambda: bool(lane.calls()))
    await lane.peer.gone()
    await eventually(lambda: lane.busy() == 0)
    await asyncio.sleep(0.2)
    assert (lane.taken - before, lane.calls()) == (1, {"cloud-2": 1})
    assert lane.serving.hedges._waiting == {}


async def test_a_search_that_is_refused_leaves_nothing_behind(lane, monkeypatch):
    monkeypatch.setattr(hedging, "HEDGE", 0.1)
    monkeypatch.setattr(hedging, "TICK", 0.02)
    object.__setattr__(lane.serving.snapshot.registry.limits, "fan_out_clouds", 1)
    lane.running["cloud-2"].latency = 0.5
    took, answer = await lane.took(path(10))
    assert (took, answer.status) == (1, 429)
    assert lane.calls() == {"cloud-2": 1}
    await eventually(lambda: lane.busy() == 0, 0.2)


async def test_a_client_that_leaves_while_others_are_chosen_leaves_nothing_behind(lane, monkeypatch):
    monkeypatch.setattr(hedging, "HEDGE", 0.1)
    monkeypatch.setattr(hedging, "TICK", 0.02)
    asked = asyncio.Event()

    async def clouds(*_: object) -> tuple[str, ...]:
        asked.set()
        await asyncio.sleep(60)
        return ()

    monkeypatch.setattr("oidproxy.manyclouds.locations.Locations.clouds", clouds)
    lane.running["cloud-2"].latency = 0.5
    await lane.peer.send(request(path(10), EVERYWHERE))
    await asked.wait()
    await lane.peer.gone()
    await eventually(lambda: lane.busy() == 0, 0.2)


async def test_its_instructions_are_not_half_more_than_those_of_a_plain_forward(lane):
    counts = {}
    for scope in (EVERYWHERE, "compute:cloud-2;identity:cloud-1"):
        for _ in range(5):
            await lane.ask(path(10), scope)
        took = lane.taken
        counts[scope] = []
        for number in (0, 2, 4, 6, 8, 10):
            with Instructions() as executed:
                await lane.peer.send(request(path(number), scope))
                assert (await read(lane.peer)).status == 200
            counts[scope].append(executed.count)
        assert lane.taken - took == 6
    found, plain = (min(one) for one in counts.values())
    assert plain > 500
    assert found <= 1.5 * plain, (found, plain)


async def test_ways_by_cloud_are_bounded(lane, monkeypatch):
    monkeypatch.setattr("oidproxy.proxy.express.WAYS_KEPT", 2)
    for number in range(12):
        await lane.anew()
        for other in (number, number):
            assert (await lane.ask(path(other))).status == 200
    every = [way for ways in lane.serving.express._ways.values() for way in ways.values()]
    assert sum(1 + len(one.ways) if isinstance(one, Spread) else 1 for one in every) <= 2
