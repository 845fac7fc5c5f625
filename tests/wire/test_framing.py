"""Part A of the gateway checklist on the wire: where a message ends, for the proxy and for all behind it."""

from __future__ import annotations

import asyncio

import pytest

from tests.wire.rig import OK, Peer, Upstream, answering, eventually, rig

HOST = b"Host: proxy\r\n"


def post(*fields: bytes, body: bytes = b"") -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"POST /image/v2/images HTTP/1.1\r\n" + HOST + lines + b"\r\n" + body


REFUSED = {
    "A1 both lengths": (post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    "A2 two lengths": (post(b"Content-Length: 1", b"Content-Length: 1", body=b"x"), 400),
    "A2 list": (post(b"Content-Length: 1, 1", body=b"x"), 400),
    "A2 plus": (post(b"Content-Length: +1", body=b"x"), 400),
    "A2 minus": (post(b"Content-Length: -1", body=b"x"), 400),
    "A2 hex": (post(b"Content-Length: 0x1", body=b"x"), 400),
    "A2 empty": (post(b"Content-Length: ", body=b"x"), 400),
    "A2 huge": (post(b"Content-Length: 99999999999999999999999", body=b"x"), 400),
    "A2 space before colon": (post(b"Content-Length : 1", body=b"x"), 400),
    "A3 gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "A3 ,chunked": (post(b"Transfer-Encoding: ,chunked", body=b"0\r\n\r\n"), 501),
    "A3 xchunked": (post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501),
    "A3 parameter": (post(b"Transfer-Encoding: chunked;a=b", body=b"0\r\n\r\n"), 501),
    "A3 identity": (post(b"Transfer-Encoding: identity"), 501),
    "A3 twice": (post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    "A3 in HTTP/1.0": (
        b"POST /image/v2/images HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "A5 obs-fold": (post(b"X-A: 1\r\n 2"), 400),
    "A5 bare LF": (b"GET /image/ HTTP/1.1\nHost: proxy\n\n\r\n\r\n", 400),
    "A5 bare CR": (post(b"X-A: 1\r2"), 400),
    "A5 NUL": (post(b"X-A: 1\x002"), 400),
    "A5 control": (post(b"X-A: 1\x012"), 400),
    "A5 control in name": (post(b"X-\x01A: 1"), 400),
}


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_request_whose_end_is_in_doubt_is_answered_then_closed(tmp_path, data, status):
    async with rig(tmp_path) as proxy:
        answer = await proxy.ask(data + b"GET /image/smuggled HTTP/1.1\r\nHost: proxy\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in answer.lower()
        assert proxy.upstream.heads == []


BAD_CHUNKS = {
    "A4 sign": b"+1\r\nx\r\n0\r\n\r\n",
    "A4 prefix": b"0x1\r\nx\r\n0\r\n\r\n",
    "A4 blank": b" 1\r\nx\r\n0\r\n\r\n",
    "A4 bare LF": b"1\nx\r\n0\r\n\r\n",
    "A4 no CRLF behind the data": b"1\r\nxy\r\n0\r\n\r\n",
    "A4 17 digits": b"00000000000000001\r\nx\r\n0\r\n\r\n",
    "A4 extensions over 4 KiB": b"1;" + b"a" * 5000 + b"\r\nx\r\n0\r\n\r\n",
    "A4 trailers over 8 KiB": b"1\r\nx\r\n0\r\nA: " + b"a" * 9000 + b"\r\n\r\n",
    "A4 underscore": b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
async def test_a4_bad_chunks_are_400_and_the_cloud_never_sees_a_complete_body(tmp_path, body):
    endings: list[bytes] = []

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            endings.append(await peer.rest())

        return handle

    async with rig(tmp_path, make) as proxy:
        answer = await proxy.ask(post(b"Transfer-Encoding: chunked", body=body))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert all(not ending.endswith(b"0\r\n\r\n") for ending in endings)


async def test_a4_chunks_pass_with_extensions_and_trailers_dropped(tmp_path):
    bodies: list[bytes] = []

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            bodies.append(await peer.until(b"0\r\n\r\n"))
            await peer.send(OK)

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(post(b"Transfer-Encoding: chunked", body=b"5;ext=1\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"))
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert bodies == [b"5\r\nhello\r\n0\r\n\r\n"]


BAD_ANSWERS = {
    "A6 two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "A6 both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "A6 obs-fold": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok",
    "A6 head over 64 KiB": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    "A6 not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "C13 101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_a6_a_bad_answer_is_502_and_nothing_of_it_is_relayed(tmp_path, bad):
    async with rig(tmp_path, answering(bad)) as proxy:
        answer = await proxy.ask(b"GET /image/v2/images HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"X-A" not in answer
        assert b"X-Oidproxy-Error: bad-answer" in answer
        assert await proxy.upstream.connections[0].rest() == b""


async def test_a7_answers_without_body_leave_the_next_pipelined_request_readable(tmp_path):
    answers = {
        b"HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"GET /v2/a": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: x\r\n\r\n",
        b"DELETE": b"HTTP/1.1 204 No Content\r\n\r\n",
        b"GET": OK,
    }

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                head = await peer.head()
                upstream.heads.append(head)
                await peer.send(next(answer for start, answer in answers.items() if head.startswith(start)))

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        targets = [b"HEAD /image/v2/x", b"GET /image/v2/a", b"DELETE /image/v2/x", b"GET /image/v2/b"]
        await peer.send(b"".join(target + b" HTTP/1.1\r\nHost: proxy\r\n\r\n" for target in targets))
        first, second, third, fourth = [await peer.head() for _ in targets]
        assert first.startswith(b"HTTP/1.1 200 ")
        assert b"Content-Length: 1000" in first
        assert second.startswith(b"HTTP/1.1 304 ")
        assert b"Content-Length: 500" in second
        assert third.startswith(b"HTTP/1.1 204 ")
        assert fourth.startswith(b"HTTP/1.1 200 ")
        assert await peer.exactly(2) == b"ok"


async def test_a8_a_short_request_body_aborts_the_upstream(tmp_path):
    seen: list[bytes] = []

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            seen.append(await peer.rest())

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(post(b"Content-Length: 10", body=b"short"))
        await eventually(lambda: proxy.upstream.heads)
        peer.reset()
        await eventually(lambda: seen)
        assert seen == [b"short"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
    ],
    ids=["length", "chunked", "bad chunk"],
)
async def test_a8_a_short_answer_is_cut_short_for_the_client_too(tmp_path, answer):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            await peer.head()
            good, mark, bad = answer.partition(b"short")
            await peer.send(good + mark)
            await asyncio.sleep(0.1)
            await peer.send(bad)

        return handle

    async with rig(tmp_path, make) as proxy:
        got = await proxy.ask(b"GET /image/v2/images/1/file HTTP/1.1\r\nHost: proxy\r\n\r\n")
        assert b"short" in got
        assert not got.endswith(b"0\r\n\r\n")


async def test_a9_bytes_after_an_answer_never_reach_the_next_user(tmp_path):
    evil = OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with rig(tmp_path, answering(evil)) as proxy:
        for _ in range(3):
            peer = await proxy.client()
            await peer.send(b"GET /image/v2/images HTTP/1.1\r\nHost: proxy\r\n\r\n")
            assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
            assert await peer.exactly(2) == b"ok"
            assert await peer.quiet(0.05)
        assert len(proxy.upstream.connections) == 3


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS"])
async def test_a10_bodies_of_any_method_are_framed_and_forwarded(tmp_path, method):
    bodies: list[bytes] = []

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            bodies.append(await peer.exactly(3))
            await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(method + b" /image/v2/images HTTP/1.1\r\nHost: proxy\r\nContent-Length: 3\r\n\r\nabc")
        assert (await peer.head()).startswith(b"HTTP/1.1 204 ")
        assert bodies == [b"abc"]
        assert b"Content-Length: 3" in proxy.upstream.heads[0]
