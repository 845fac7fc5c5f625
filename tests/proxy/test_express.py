"""The express lane gives what the whole way gives, byte for byte, and ends where anything is unusual."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from dataclasses import replace
from types import ModuleType

import pytest

from oidproxy.http.parse import response_head
from oidproxy.identity.memory import key
from oidproxy.proxy import express
from oidproxy.proxy.passing import Passing
from oidproxy.rewrite import stencils
from oidproxy.scope.parse import parse
from oidproxy.tokens.sealed import seal
from tests.wire.rig import OK, Peer, Upstream, answering, eventually, rig

unfold = Passing.unfold

SERVER = {"server": {"id": "1", "name": "n", "links": [{"rel": "self", "href": "LINK/servers/1"}]}}


def answer(body: bytes, *more: str) -> bytes:
    lines = [
        "HTTP/1.1 200 OK",
        "Date: Fri, 20 Nov 2026 12:00:00 GMT",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: Keep-Alive",
        "Keep-Alive: timeout=5, max=99",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def request(
    path: str = "/image/v2/images/abc", number: int = 0, *more: str, token: str | None = None
) -> bytes:
    sealed = seal(f"gAAAAAB{number:0100}", "cloud-1", parse("image:cloud-1"))
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: proxy:8888",
        "User-Agent: a program/1.0",
        f"X-Auth-Token: {sealed if token is None else token}",
        "Accept-Encoding: gzip",
        f"Traceparent: 00-{number:032x}-01",
        f"X-OpenStack-Request-ID: req-{number:08}-2222-4333-8444-555555555555",
        "Accept: application/json",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def received(peer: Peer) -> tuple[object, ...]:
    """An answer as its client understands it: status, fields but for those of framing, and body."""
    head = response_head(await peer.head(), method="GET", limits=peer.limits)
    fields = sorted((name.lower(), value) for name, value in head.fields)
    framing = {b"content-length", b"transfer-encoding"}
    body = b""
    if head.get(b"transfer-encoding") is not None:
        while size := int(await peer.until(b"\r\n"), 16):
            body += (await peer.exactly(size + 2))[:-2]
        await peer.until(b"\r\n")
    else:
        body = await peer.exactly(int(head.get(b"content-length") or 0))
    return head.status, tuple(one for one in fields if one[0] not in framing), body


async def ask(peer: Peer, data: bytes) -> tuple[object, ...]:
    await peer.send(data)
    return await received(peer)


async def warm(proxy, path: str = "/image/v2/images/abc", *more: str) -> Peer:
    """A connection whose requests of this kind take the lane."""
    peer = await client(proxy)
    for number in range(1, 5):
        await ask(peer, request(path, number, *more))
    assert proxy.serving.express.taken > 0
    return peer


async def client(proxy) -> Peer:
    """A connection that knows of no lane yet."""
    proxy.serving.express.stencils.clear()
    peer = await proxy.client()
    peer.limits = proxy.serving.snapshot.registry.limits
    return peer


async def taken(proxy, peer: Peer, data: bytes) -> tuple[int, tuple[object, ...]]:
    """How often the lane was taken for this request, and its answer."""
    before = proxy.serving.express.taken
    got = await ask(peer, data)
    return proxy.serving.express.taken - before, got


async def test_what_goes_and_what_comes_is_the_same_as_the_whole_way(tmp_path):
    body = b'{"images": []}'
    async with rig(tmp_path, answering(answer(body, "X-Compute-Request-Id: req-1", "Vary: a"))) as proxy:
        peer, fresh = await warm(proxy), await client(proxy)
        data = request("/image/v2/images/xyz?limit=3", 7)
        lane = await taken(proxy, peer, data)
        whole = await taken(proxy, fresh, data)
        assert (lane[0], whole[0]) == (1, 0)
        assert lane[1] == whole[1]
        assert lane[1][2] == body
        assert proxy.upstream.heads[-1] == proxy.upstream.heads[-2]
        proxy.serving.access.flush()
        lines = [json.loads(line) for line in proxy.log.read_text().splitlines()[-2:]]
        for line in lines:
            assert line.pop("ms") >= line.pop("first_byte_ms") > 0
            assert line.pop("time") > 10**18
        assert lines[0] == lines[1]
        assert list(lines[0]) == list(lines[1])


async def test_links_are_rewritten_on_it(tmp_path):
    def make(upstream: Upstream):
        body = json.dumps(SERVER).replace("LINK", f"http://{upstream.host}:9292/compute/v2.1").encode()
        return answering(answer(body))(upstream)

    async with rig(tmp_path, make) as proxy:
        path = "/compute/v2.1/servers/1"
        peer, fresh = await warm(proxy, path), await client(proxy)
        lane, whole = await taken(proxy, peer, request(path, 8)), await taken(proxy, fresh, request(path, 8))
        assert (lane[0], whole[0]) == (1, 0)
        assert lane[1] == whole[1]
        assert b'"http://proxy:8888/compute/v2.1/servers/1"' in lane[1][2]
        assert b"Accept-Encoding: identity" in proxy.upstream.heads[-1]


async def test_beside_a_cloud_ports_stand_for_services(tmp_path):
    async with rig(tmp_path, answering(answer(b"{}")), listener="cloud: cloud-1") as proxy:
        peer = await warm(proxy, "/s/x696d6167653a636c6f75642d31/image/v2/images/1")
        for path in (
            "/s/x696d6167653a636c6f75642d31/image/v2/",
            "/s/x41/image/v2/images/1",
            "/s//image/v2/i",
        ):
            lane = await ask(peer, request(path, 9))
            whole = await ask(await client(proxy), request(path, 9))
            assert lane[0] == whole[0]
            assert lane[2] == whole[2]


OURS = re.compile(rb"X-Openstack-Request-Id: [^\r]*")
"""Of which a request without a good id of its own gets a new one."""

LEGACY = 'gAAAAABx!SCOPE!{"image":"cloud-1"}'

UNUSUAL = {
    "a dot segment": request("/image/v2/../images/abc"),
    "an encoded slash": request("/image/v2/images%2Fabc/x"),
    "a version document": request("/image/v2"),
    "another service": request("/compute/servers/1"),
    "an unknown service": request("/nothing/servers/1"),
    "a page of ours": request("/healthcheck"),
    "an explanation": request("/image/v2/images/abc", 0, "X-Scope-Explain: 1"),
    "a header's scope": request("/image/v2/images/abc", 0, "X-Scope: image:cloud-1"),
    "a wrong scope": request("/image/v2/images/abc", 0, "X-Scope: image:cloud-7"),
    "another home": request(token=seal("gAAAAABx", "cloud-9", parse("image:cloud-1"))),
    "a bare token": request(token="gAAAAABx"),
    "OpenStackoid's token": request(token=LEGACY),
    "no closed token": request(
        token="oid1~" + seal("x", "cloud-1", parse("image:cloud-1")).partition("~")[2]
    ),
    "an id of another form": request().replace(b"req-00000000", b"0"),
    "a blank too many": request().replace(b"Accept: ", b"Accept:  "),
    "a name twice": request("/image/v2/images/abc", 0, "X-Auth-Token: x"),
    "underscores": request("/image/v2/images/abc", 0, "X_Auth_Token: x"),
    "a bare line feed": request().replace(b"\r\nAccept: ", b"\nAccept: "),
    "an older version": request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HEAD": request().replace(b"GET ", b"HEAD "),
    "a service's token": request("/image/v2/images/abc", 0, "X-Service-Token: gAAAAABy"),
    "another host": request().replace(b"proxy:8888", b"proxy:8889"),
    "a token in the path": request("/image/v2/images/tokens/gAAAAABabcdefghijklmnopqrstuvwxyz"),
}


@pytest.mark.parametrize("what", UNUSUAL)
async def test_nothing_unusual_is_taken_for_something_usual(what, tmp_path):
    async with rig(tmp_path, answering(answer(b"{}"))) as proxy:
        peer, data = await warm(proxy), UNUSUAL[what]
        fresh = await client(proxy)
        method = "HEAD" if what == "HEAD" else "GET"
        seen = []
        for one in (peer, fresh):
            heads = len(proxy.upstream.heads)
            await one.send(data)
            head = response_head(await one.head(), method=method, limits=one.limits)
            given = {name.lower(): value for name, value in head.fields} | {
                b"content-length": b"",
                b"date": b"",
            }
            given.pop(b"x-openstack-request-id", None)
            given.pop(b"transfer-encoding", None)
            sent = [OURS.sub(b"", head) for head in proxy.upstream.heads[heads:]]
            seen.append((head.status, given, sent))
        assert seen[0] == seen[1]
        proxy.serving.access.flush()
        assert b"gAAAAAB" not in proxy.log.read_bytes()


def in_pieces(*pieces: bytes, pause: float = 0.02):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                upstream.heads.append(await peer.head())
                for piece in pieces:
                    await peer.send(piece)
                    await asyncio.sleep(pause)

        return handle

    return make


async def test_what_differs_in_answers_is_learned_on_the_lane_too(tmp_path, monkeypatch):
    left = []
    monkeypatch.setattr(Passing, "unfold", lambda passing: (left.append(1), unfold(passing))[1])

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                upstream.heads.append(await peer.head())
                second = b"%02d" % (len(upstream.heads) // 4)
                await peer.send(answer(b"{}").replace(b"12:00:00", b"12:00:" + second))

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await client(proxy)
        for number in range(24):
            await ask(peer, request(number=number))
    assert len(left) == 1, "when the first answer had another second"


async def test_an_answer_in_pieces_is_waited_for(tmp_path):
    whole = answer(b"x" * 5000)
    async with rig(tmp_path, in_pieces(whole[:20], whole[20:300], whole[300:])) as proxy:
        peer = await client(proxy)
        for number in range(8):
            got = await ask(peer, request(number=number))
            assert got[2] == b"x" * 5000


async def test_a_long_answer_begins_before_it_ends(tmp_path):
    whole = answer(b"y" * 300_000)

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                upstream.heads.append(await peer.head())
                await peer.send(OK if len(upstream.heads) == 9 else whole[:100_000])
                if len(upstream.heads) == 6:
                    upstream.waits.set()
                    await upstream.go_on.wait()
                await peer.send(whole[100_000:])

        upstream.waits, upstream.go_on = asyncio.Event(), asyncio.Event()
        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await client(proxy)
        for number in range(5):
            assert len((await ask(peer, request(number=number)))[2]) == 300_000
        await peer.send(request(number=6))
        await proxy.upstream.waits.wait()
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert await peer.exactly(50_000) == b"y" * 50_000
        proxy.upstream.go_on.set()
        assert len(await peer.exactly(250_000)) == 250_000


async def test_an_answer_of_another_kind_leaves_the_lane(tmp_path):
    kinds = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + answer(b"later"),
        answer(b"").replace(b"Content-Length: 0", b"Content-Length: 00"),
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    ]

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                upstream.heads.append(await peer.head())
                await peer.send(upstream.say)

        upstream.say = answer(b"{}")
        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await warm(proxy)
        for kind in kinds:
            proxy.upstream.say = kind
            fresh = await client(proxy)
            heads = []
            for one in (peer, fresh):
                await one.send(request(number=11))
                head = await one.head()
                if b" 103 " in head:
                    head += await one.head()
                heads.append(sorted(head.split(b"\r\n")))
                status = response_head(head[head.rfind(b"HTTP/1.1") :], method="GET", limits=one.limits)
                if status.get(b"transfer-encoding"):
                    assert await one.until(b"0\r\n\r\n") == b"2\r\nok\r\n0\r\n\r\n"
                elif status.status != 304:
                    await one.exactly(int(status.get(b"content-length")))
            assert heads[0] == heads[1]
        proxy.upstream.say = answer(b"{}")
        assert (await taken(proxy, peer, request(number=12)))[0] == 1


async def test_e1_a_kept_connection_that_was_closed_costs_nobody_an_answer(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            for _ in range(5):
                upstream.heads.append(await peer.head())
                await peer.send(answer(b"{}"))
            upstream.heads.append(await peer.head())
            peer.close()

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await warm(proxy)
        for number in range(5, 9):
            assert (await ask(peer, request(number=number)))[0] == 200
        assert len(proxy.upstream.connections) == 2


async def test_a8_an_answer_that_breaks_off_is_cut_short(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            for _ in range(4):
                upstream.heads.append(await peer.head())
                await peer.send(answer(b"{}"))
            await peer.head()
            await peer.send(answer(b"z" * 100)[:-50])
            peer.close()

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await warm(proxy)
        await peer.send(request(number=5))
        rest = await peer.rest()
        # What had not left when the cloud broke off may be missing, too.
        assert rest == b"" or (b"Content-Length: 100\r\n" in rest and rest.count(b"z") <= 50)
        await eventually(lambda: not proxy.serving.connections)
        proxy.serving.access.flush()
        assert json.loads(proxy.log.read_text().splitlines()[-1])["error"]


async def test_e7_a_client_that_leaves_ends_the_call(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            for _ in range(4):
                upstream.heads.append(await peer.head())
                await peer.send(answer(b"{}"))
            await peer.head()
            upstream.ended = await peer.rest()

        upstream.ended = None
        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await warm(proxy)
        before = proxy.serving.express.taken
        await peer.send(request(number=5))
        await eventually(lambda: proxy.serving.express.taken > before)
        peer.close()
        await eventually(lambda: proxy.upstream.ended == b"")
        proxy.serving.access.flush()
        line = json.loads(proxy.log.read_text().splitlines()[-1])
        assert (line["lost"], line["status"], line["request_id"]) == (
            True,
            0,
            "req-00000005-2222-4333-8444-555555555555",
        )


async def test_d4_a_cloud_that_does_not_answer_is_504(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            for _ in range(4):
                upstream.heads.append(await peer.head())
                await peer.send(answer(b"{}"))
            await peer.rest()

        return handle

    async with rig(tmp_path, make, more="limits: {first_byte: 300ms}\n") as proxy:
        path = "/compute/v2.1/servers/1"
        peer = await warm(proxy, path)
        lane = await taken(proxy, peer, request(path, 5))
        assert lane[0] == 1
        assert lane[1][0] == 504


async def test_requests_that_are_pipelined_are_answered_in_their_order(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                head = await peer.head()
                upstream.heads.append(head)
                await peer.send(answer(head.split(b" ")[1]))

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await warm(proxy)
        paths = [f"/v2/images/{number}" for number in range(20)]
        for path in paths:
            peer.writer.write(request(f"/image{path}"))
        assert [(await received(peer))[2].decode() for _ in paths] == paths


async def test_another_registry_forgets_every_way(tmp_path):
    async with rig(tmp_path, answering(answer(b"{}"))) as proxy:
        peer = await warm(proxy)
        proxy.serving.swap(replace(proxy.serving.snapshot, serial=2))
        assert (await taken(proxy, peer, request(number=9)))[0] == 0
        assert (await taken(proxy, peer, request(number=9)))[0] == 1


async def test_while_it_drains_each_answer_is_the_last(tmp_path):
    async with rig(tmp_path, answering(answer(b"{}"))) as proxy:
        peer = await warm(proxy)
        proxy.serving.draining = True
        await peer.send(request(number=9))
        assert b"Connection: close" in await peer.head()


async def test_a_token_that_its_home_called_a_services_is_seen_to(tmp_path, monkeypatch):
    async with rig(tmp_path, answering(answer(b"{}"))) as proxy:
        peer = await warm(proxy)
        monkeypatch.setattr(type(proxy.serving.identity), "may_serve", lambda *_: True)
        assert (await taken(proxy, peer, request(number=9)))[0] == 0


async def test_what_is_remembered_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(express, "WAYS_KEPT", 3)
    monkeypatch.setattr(stencils, "SHAPES_KEPT", 2)
    async with rig(tmp_path, answering(answer(b"{}"))) as proxy:
        peer = await warm(proxy)
        for number in range(12):
            token = seal("gAAAAABx", "cloud-1", parse(f"image:cloud-1;compute:{'c' * (number + 1)}|cloud-1"))
            for _ in range(2):
                await ask(peer, request("/image/v2/images/1", number, token=token))
                await ask(peer, request("/image/v2/images/1", number, f"X-Field-{number}: a"))
        lane = proxy.serving.express
        assert len(lane.ways((proxy.address, 8888))) <= 3
        assert len(lane._requests) <= 2


def test_no_more_stencils_are_made_in_a_second_than_are_worth_it():
    made = []
    known = stencils.Stencils(lambda head, shape, free: made.append(shape) or object(), of_answers=False)

    class Head:
        fields = ((b"A", b"1"),)

    for second in (1.0, 1.5, 2.0):
        for number in range(60):
            known.of(Head(), number, second)
    assert len(made) == 2 * stencils.COMPILED_AT_MOST


async def test_a_long_path_is_cut_in_the_log_as_it_always_is(tmp_path):
    async with rig(tmp_path, answering(answer(b"{}"))) as proxy:
        peer, long = await warm(proxy), request("/image/v2/images/" + "a/" * 600)
        for one in (peer, await client(proxy)):
            assert (await ask(one, long))[0] == 200
        proxy.serving.access.flush()
        lane, whole = (json.loads(line)["path"] for line in proxy.log.read_text().splitlines()[-2:])
        assert lane == whole
        assert len(lane) == 1024


async def test_nothing_that_the_lane_remembers_holds_a_secret(tmp_path):
    secret = "X-Container-Meta-Temp-URL-Key: of-the-container"
    async with rig(tmp_path, answering(answer(b"{}"))) as proxy:
        peer = await warm(proxy)
        for number in range(4):
            assert (await taken(proxy, peer, request("/image/v2/images/1", number, secret)))[0] == 0
        lane = proxy.serving.express
        remembered = [*reachable(lane._requests), *reachable(lane._answers), *reachable(lane._ways)]
        texts = b" ".join(one for one in remembered if isinstance(one, bytes))
        assert b"Traceparent" in texts
        assert b"gAAAAAB" not in texts
        assert b"of-the-container" not in texts


def reachable(thing, deep: int = 6) -> list[object]:
    """Whatever it refers to, but for modules and classes."""
    found, level = [], [thing]
    for _ in range(deep):
        level = [one for one in gc.get_referents(*level) if not isinstance(one, type | ModuleType)]
        found += level
    return found


async def test_its_errors_are_those_of_the_whole_way(tmp_path):
    async with rig(tmp_path, answering(answer(b"{}")), more="limits: {field: 900}\n") as proxy:
        peer = await warm(proxy)
        long = request("/image/v2/images/" + "a" * 900)
        heads = []
        for one in (peer, await client(proxy)):
            await one.send(long)
            heads.append((await one.head()).partition(b"\r\n")[0])
        assert heads[0] == heads[1]


async def test_a_new_connection_takes_it_with_its_first_request(tmp_path):
    async with rig(tmp_path, answering(answer(b"{}"))) as proxy:
        await warm(proxy)
        peer = await proxy.client()
        peer.limits = proxy.serving.snapshot.registry.limits
        assert (await taken(proxy, peer, request(number=9)))[0] == 1


async def test_a_service_that_is_forgotten_meanwhile_opens_no_way_without_a_scope(tmp_path):
    """Beside a cloud, `require_scope` is for users: whoever is a service is known when a request begins."""
    service, user = "gAAAAABservice", "gAAAAABuser"
    forgets = asyncio.Event()

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                upstream.heads.append(await peer.head())
                if forgets.is_set():
                    memory.forget(key("cloud-1", service))
                await peer.send(answer(b"{}"))

        return handle

    async with rig(tmp_path, make, "require_scope: true\n", listener="cloud: cloud-1") as proxy:
        memory = proxy.serving.identity._memory
        peer = await client(proxy)
        for number in range(4):
            memory._services.put(key("cloud-1", service), "nova", 1e12)
            if number:
                forgets.set()
            got = await ask(peer, request(number=number, token=service))
            assert got[0] == 200
        for token in (service, user):
            assert (await taken(proxy, peer, request(number=9, token=token)))[1][0] == 400
