"""What a client sees of each fault, and that the file may change while the clouds run."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

IMAGES = "/v2/images"


@pytest.fixture
def disturbed(fleet, tmp_path):
    path = tmp_path / "disturbances.yaml"

    async def begin(rule: str):
        path.write_text(f"rules: [{{clouds: cloud-2, services: [image], {rule}}}]")
        return await fleet(2, disturbances=path)

    return begin


@pytest.mark.parametrize(("at", "part"), [("50%", 0.5), ("90%", 0.9), ("0%", 0.0)])
async def test_an_answer_breaks_where_it_is_told_to(disturbed, at, part):
    rig = await disturbed(f"fault: break, at: {at}")
    answer = await rig.get(2, "image", IMAGES)
    assert answer.status == 200
    assert not answer.whole
    assert abs(len(answer.body) / int(answer.fields["content-length"]) - part) < 0.01
    assert (await rig.get(1, "image", IMAGES)).whole


async def test_images_break_too(disturbed):
    rig = await disturbed("fault: break, at: 90%")
    image = next(iter(rig.fleet.clouds["cloud-2"].glance))
    answer = await rig.get(2, "image", f"{IMAGES}/{image.id}/file")
    assert len(answer.body) == int(image.content.size * 0.9)


async def test_garbage_is_announced_as_json(disturbed):
    rig = await disturbed("fault: garbage")
    answer = await rig.get(2, "image", IMAGES)
    assert (answer.status, answer.whole) == (200, True)
    assert answer.fields["content-type"] == "application/json"
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        answer.json()


async def test_nonsense_is_no_http(disturbed):
    rig = await disturbed("fault: nonsense")
    data = await rig.raw(2, "image", b"GET /v2/images HTTP/1.1\r\nHost: a\r\n\r\n")
    assert data
    assert not data.startswith(b"HTTP/")


async def test_a_status_says_when_to_come_again(disturbed):
    rig = await disturbed("fault: status, status: 429, retry_after: 3")
    answer = await rig.get(2, "image", IMAGES)
    assert (answer.status, answer.fields["retry-after"]) == (429, "3")
    assert answer.json()["error"]["code"] == 429


@pytest.mark.parametrize("rule", ["fault: silent", "fault: stall", "fault: slow-head, delay: 60s"])
async def test_some_answers_do_not_come(disturbed, rule):
    rig = await disturbed(rule)
    with pytest.raises(TimeoutError):
        await rig.ask(2, "image", IMAGES, token=await rig.token(2), patience=0.3)


async def test_a_slow_head_comes_in_the_end_and_latency_is_added(fleet, tmp_path):
    path = tmp_path / "disturbances.yaml"
    path.write_text("latency: 50ms\nrules: [{clouds: cloud-2, fault: slow-head, delay: 200ms}]")
    rig = await fleet(2, disturbances=path)
    for number, least in ((1, 0.05), (2, 0.25)):
        begin = time.monotonic()
        assert (await rig.ask(number, "identity", "/v3")).whole
        assert least <= time.monotonic() - begin < least + 2


async def test_a_dead_cloud_refuses_breaks_what_was_open_and_comes_back(fleet, tmp_path):
    path = tmp_path / "disturbances.yaml"
    path.write_text("")
    rig = await fleet(2, disturbances=path)
    reader, writer = await rig.connect(2, "image")
    path.write_text("rules: [{clouds: cloud-2, fault: dead}]")
    await asyncio.wait_for(_until(lambda: not rig.fleet.stations["cloud-2"].open), 10)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await rig.connect(2, "image")
    path.write_text("rules: [{clouds: cloud-1, latency: 1ms}]")
    await asyncio.wait_for(_until(lambda: rig.fleet.stations["cloud-2"].open), 10)
    assert (await rig.get(2, "image", IMAGES)).status == 200


async def test_a_file_that_cannot_be_used_changes_nothing(disturbed, tmp_path, capsys):
    rig = await disturbed("fault: garbage")
    before = rig.fleet.weather.disturbances
    (tmp_path / "disturbances.yaml").write_text("rules: [{fault: flood}]")
    await asyncio.wait_for(_until(lambda: "nothing changed" in capsys.readouterr().err), 10)
    assert rig.fleet.weather.disturbances is before


async def _until(condition):
    while not condition():
        await asyncio.sleep(0.02)
