"""What a recording takes down of requests, at what cost, and what it does where it cannot."""

from __future__ import annotations

import json
import threading
import zlib

import pytest

from oidproxy.proxy import recorder as module
from oidproxy.proxy.recorder import Recorded, Recorder
from oidproxy.scope.parse import parse
from oidproxy.tokens.sealed import seal
from oidproxy.trace import recording
from oidproxy.trace.reading import open_trace
from tests.proxy.test_hot_path import ANSWER, DOCUMENT, Instructions, ask, request
from tests.wire.rig import answering, eventually, rig

UUID = "9f1c2b3a-1111-4222-8333-444455556666"
ON_THE_LANE = {"first_byte", "done"}
"""The steps of a request on the express lane: it is sent as soon as it is read."""

RECORDING_COSTS = 70
"""Bytecode instructions of the loop's for each request; what it costs when off is in every other budget."""


@pytest.fixture
def begun(tmp_path):
    return recording.begin(tmp_path / "traces", size=8 << 20, part=1 << 20, bodies=False, workers=1)


class Recording:
    """Records the requests to a rig, and reads them back."""

    def __init__(self, proxy, begun):
        self.counts = Recorded()
        self._proxy, self._folder = proxy, begun.folder
        self.recorder = proxy.serving.recorder = Recorder(begun, ["cloud-1"], self.counts)

    def lines(self):
        self._proxy.serving.recorder = None
        self.recorder.close()
        return list(open_trace(self._folder).lines())


def call(method="GET", target="/compute/v2.1/servers", *, fields="", body=b"") -> bytes:
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: proxy:8888\r\nX-Auth-Token: gAAAAABsecret\r\n{fields}{kind}\r\n"
    )
    return head.encode() + body


def answers(status="200 OK", body=b"{}", fields=""):
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    )
    return answering(head.encode() + body)


async def asked(proxy, data: bytes, end: bytes = b"}") -> bytes:
    peer = await proxy.client()
    await peer.send(data)
    return await peer.head() + await peer.until(end)


async def test_both_ways_tell_the_same(tmp_path, begun):
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, begun)
        peer = await proxy.client()
        for number in range(6):
            await ask(peer, request("compute", number % 2))
        assert proxy.serving.express.taken
    lines = taken.lines()
    assert len(lines) == 6
    whole = [line for line in lines if set(line.steps) - ON_THE_LANE]
    lane = [line for line in lines if not set(line.steps) - ON_THE_LANE]
    assert whole
    assert lane
    for one in whole:
        for other in lane:
            if one.query == other.query:
                assert told(one) == told(other)
    assert {line.query for line in lane} == {"limit=0", "limit=1"}
    assert {line.bytes_out for line in lines} == {len(DOCUMENT)}


def told(line):
    """All but times, and the names that only the whole way reads."""
    fields = {name: getattr(line, name) for name in line.__struct_fields__}
    return {name: value for name, value in fields.items() if name not in {"n", "at", "steps", "names"}}


async def test_a_line_says_where_it_went_and_why(tmp_path, begun):
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, begun)
        await ask(await proxy.client(), request("image", 7))
    [line] = taken.lines()
    assert (line.service, line.path, line.query) == ("image", f"/v2/things/{7:036}", "limit=7")
    assert (line.scope, line.carrier, line.home) == ("compute:cloud-1;image:cloud-1", "token", "cloud-1")
    assert (line.cloud, line.clouds, line.asked) == ("cloud-1", ["cloud-1"], ["cloud-1"])
    assert line.request_id == "req-00000007-2222-4333-8444-555555555555"
    assert list(line.steps) == ["decided", "sent", "first_byte", "done"]


async def test_users_are_told_apart_and_no_token_is_told(tmp_path, begun):
    other = recording.begin(tmp_path / "traces", size=8 << 20, part=1 << 20, bodies=False, workers=1)
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, begun)
        peer = await proxy.client()
        for number in (1, 2, 1, 2, 1, 2):
            await ask(peer, request("compute", number))
        lines = taken.lines()
        again = Recording(proxy, other)
        await ask(peer, request("compute", 1))
    assert [line.user == lines[0].user for line in lines] == [True, False] * 3
    assert again.lines()[0].user not in {line.user for line in lines}
    assert "gAAAA" not in str(lines)


async def test_a_sealed_token_and_the_bare_one_are_the_same_user(tmp_path, begun):
    async with rig(tmp_path, answers()) as proxy:
        taken = Recording(proxy, begun)
        token = "gAAAAABsecret"
        await asked(proxy, call())
        await asked(
            proxy, call().replace(token.encode(), seal(token, "cloud-1", parse("*:cloud-1")).encode())
        )
    assert len({line.user for line in taken.lines()}) == 1


async def test_ids_that_are_made_and_used_are_told(tmp_path, begun):
    other = UUID.replace("9", "8")
    made = b'{"server": {"id": "%b", "name": "s"}}' % other.encode()
    async with rig(tmp_path, answers("202 Accepted", made)) as proxy:
        taken = Recording(proxy, begun)
        body = json.dumps({"server": {"imageRef": UUID, "adminPass": "hunter2"}}).encode()
        await asked(proxy, call("POST", body=body, fields="OpenStack-API-Version: compute 2.90\r\n"), b"}}")
    [line] = taken.lines()
    assert (line.made, line.used, line.names) == ([other], [UUID], {other: "s"})
    assert (line.status, line.bytes_in, line.microversion) == (202, len(body), "compute 2.90")
    assert (line.request_body, line.answer_body) == (None, None)
    assert list(line.steps) == ["decided", "received", "sent", "first_byte", "done"]


@pytest.mark.parametrize(
    "body",
    [
        {"auth": {"identity": {"password": {"user": {"name": "demo", "password": UUID}}}}},
        {"auth": {"identity": {"token": {"id": UUID}}}},
        {"server": {"adminPass": UUID.replace("-", ""), "user_data": UUID}},
        {"payload": UUID.replace("-", "")},
    ],
)
async def test_a_secret_that_looks_like_an_id_is_none(tmp_path, begun, body):
    async with rig(tmp_path, answers("201 Created")) as proxy:
        taken = Recording(proxy, begun)
        await asked(proxy, call("POST", body=json.dumps(body).encode()))
        await asked(proxy, call("POST", body=json.dumps(body).encode()[:-1]))
    for line in taken.lines():
        assert line.used == []


async def test_a_token_that_is_a_name_is_hidden(tmp_path, begun):
    token = "gAAAAAB" + "a" * 40
    answer = b'{"server": {"id": "%b", "name": "%b"}}' % (UUID.encode(), token.encode())
    async with rig(tmp_path, answers("200 OK", answer)) as proxy:
        taken = Recording(proxy, begun)
        await asked(proxy, call(), b"}}")
    [line] = taken.lines()
    assert list(line.names) == [UUID]
    assert token not in str(line)


async def test_answers_that_are_compressed_are_read_too(tmp_path, begun):
    made = zlib.compress(b'{"id": "%b"}' % UUID.encode())
    async with rig(tmp_path, answers("201 Created", made, "Content-Encoding: deflate\r\n")) as proxy:
        taken = Recording(proxy, begun)
        await asked(proxy, call("POST", "/image/v2/images", body=b"{}"), made[-4:])
    [line] = taken.lines()
    assert line.made == [UUID], line


async def test_bodies_are_taken_down_where_that_is_wanted_and_hidden(tmp_path):
    begun = recording.begin(tmp_path / "traces", size=8 << 20, part=1 << 20, bodies=True, workers=1)
    answer = b'{"server": {"id": "x", "adminPass": "hunter2"}}'
    async with rig(tmp_path, answers(body=answer)) as proxy:
        taken = Recording(proxy, begun)
        await asked(
            proxy, call("POST", body=b'{"server": {"name": "s", "user_data": "aHVudGVyMg=="}}'), b"}}"
        )
        peer = await proxy.client()
        for _ in range(4):
            await peer.send(call())
            await peer.until(b"}}")
        assert proxy.serving.express.taken
    first, *others = taken.lines()
    assert first.request_body["server"]["name"] == "s"
    for line in (first, *others):
        assert line.answer_body["server"]["id"] == "x"
        assert "hunter2" not in str(line)
        assert "aHVu" not in str(line)


async def test_a_long_body_is_passed_on_and_left_out(tmp_path):
    begun = recording.begin(tmp_path / "traces", size=8 << 20, part=1 << 20, bodies=True, workers=1)
    answer = json.dumps({"x": "y" * 100_000}).encode()
    async with rig(tmp_path, answers(body=answer)) as proxy:
        taken = Recording(proxy, begun)
        assert (await asked(proxy, call(), answer[-4:])).count(b"y") >= 100_000
    [line] = taken.lines()
    assert (line.answer_body, line.bytes_out) == (None, len(answer))


async def test_refusals_and_heads_that_cannot_be_read_are_in_it(tmp_path, begun):
    async with rig(tmp_path) as proxy:
        taken = Recording(proxy, begun)
        await proxy.ask(b"GET /nothing/here?token=hunter2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await proxy.ask(b"GET /image/v2/images HTTP/1.1\r\nHost: x\r\nBad Field: x\r\n\r\n")
    lines = taken.lines()
    assert [(line.status, bool(line.error)) for line in lines] == [(404, True), (400, True)]
    assert (lines[0].path, lines[1].method) == ("/nothing/here", "-")
    assert "hunter2" not in str(lines)


async def test_what_began_before_the_recording_is_not_in_it(tmp_path, begun):
    import dataclasses

    later = dataclasses.replace(begun, began=begun.began + 10**13)
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, later)
        peer = await proxy.client()
        for number in range(4):
            await ask(peer, request("compute", number))
    assert taken.lines() == []
    assert not any(taken.counts.dropped.values())


async def test_a_full_queue_drops_and_counts_and_serves(tmp_path, begun, monkeypatch):
    monkeypatch.setattr(module, "AT_MOST", 3)
    hold = threading.Event()
    step = Recorder._step
    monkeypatch.setattr(Recorder, "_step", lambda self: step(self) if hold.wait() else 0)
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, begun)
        peer = await proxy.client()
        for number in range(8):
            await ask(peer, request("compute", number))
        hold.set()
    assert len(taken.lines()) == 3
    assert taken.counts.dropped["queue"] == 5
    assert taken.counts.samples(None)["oidproxy_record_dropped_total"][("why", "queue"),] == 5


async def test_where_there_is_no_room_left_requests_are_counted_and_served(tmp_path, monkeypatch):
    begun = recording.begin(tmp_path / "traces", size=1 << 20, part=1 << 20, bodies=False, workers=1)
    monkeypatch.setattr("oidproxy.trace.parts.SLACK", 2 << 20)
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, begun)
        peer = await proxy.client()
        for number in range(4):
            await ask(peer, request("compute", number))
    assert taken.lines() == []
    assert (taken.counts.lines, taken.counts.dropped["room"]) == (0, 4)


async def test_a_disk_that_fails_ends_the_recording_alone(tmp_path, begun, monkeypatch):
    def fails(self, lines):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("oidproxy.trace.parts.Parts.write", fails)
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, begun)
        peer = await proxy.client()
        for number in range(4):
            await ask(peer, request("compute", number))
        await eventually(lambda: taken.counts.dropped["disk"] == 4, 30)
    taken.recorder.close()


async def test_a_line_that_cannot_be_made_is_one_less(tmp_path, begun, monkeypatch):
    def fails(self, ended):
        raise ValueError("a bug")

    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, begun)
        monkeypatch.setattr("oidproxy.proxy.describing.Describing.line", fails)
        peer = await proxy.client()
        for number in range(5):
            await ask(peer, request("compute", number))
        on_the_lane = proxy.serving.express.taken
    assert len(taken.lines()) == on_the_lane > 0
    assert taken.counts.dropped["bug"] == 5 - on_the_lane


async def test_what_waits_is_flushed_while_the_recording_goes_on(tmp_path, begun, monkeypatch):
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.0)
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        taken = Recording(proxy, begun)
        await ask(await proxy.client(), request("compute", 1))
        await eventually(lambda: list(open_trace(begun.folder).lines()), 30)
        proxy.serving.recorder = None
    taken.recorder.close()


async def test_the_loop_does_little_for_it(tmp_path, begun):
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        peer = await proxy.client()
        counts = {}
        for on in (False, True):
            taken = Recording(proxy, begun) if on else None
            for number in range(5):
                await ask(peer, request("compute", number))
            found = []
            for number in range(5, 15):
                data = request("compute", number)
                with Instructions() as executed:
                    await ask(peer, data)
                found.append(executed.count)
            counts[on] = min(found)
        assert taken is not None
        assert len(taken.lines()) == 15
    assert 0 < counts[True] - counts[False] <= RECORDING_COSTS, counts
