"""Answers of clouds on the wire: parts A and C of the gateway checklist, from the side that asks."""

from __future__ import annotations

import asyncio
import os

import pytest

from oidproxy.errors import BadAnswer, ConnectionBroken
from oidproxy.http.head import Length, NoBody, UntilClose
from tests.upstream.asking import asking, endpoint_at, eventually, registry_of, request_to
from tests.upstream.service import OK, Peer, Service, answering, serving


async def ask_once(answer: bytes, method: str = "GET", *, close: bool = False):
    """What a receiver is told of these bytes, and whether the connection was kept."""

    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)
        if not close:
            await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            recorder = await asker.ask(request_to(endpoint, method))
            return recorder, asker.stats().idle


async def test_an_answer_in_one_piece():
    recorder, idle = await ask_once(OK)
    assert recorder.told == ["ready", "answer", "data", "end"]
    assert recorder.head is not None
    assert (recorder.head.status, recorder.head.framing, recorder.body) == (200, Length(2), b"ok")
    assert idle == 1


async def test_an_answer_byte_by_byte():
    head = b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n"

    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        for byte in answer:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert recorder.body == b"abcde"
            assert recorder.head is not None
            assert recorder.head.get(b"x-a") == b"b"
            assert asker.stats().idle == 1


async def test_a_chunked_answer_comes_without_its_framing():
    recorder, idle = await ask_once(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert (recorder.body, idle) == (b"abc", 1)


async def test_an_answer_that_ends_with_the_connection():
    recorder, idle = await ask_once(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True)
    assert (recorder.told[-1], recorder.body, idle) == ("end", b"all of it", 0)
    assert recorder.head is not None
    assert recorder.head.framing == UntilClose()


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 0),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 0),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 1),
        (OK, 1),
    ],
)
async def test_a_connection_is_kept_if_both_sides_keep_it(answer, kept):
    recorder, idle = await ask_once(answer)
    assert (recorder.told[-1], recorder.body, idle) == ("end", b"ok", kept)


BAD_HEADS = [
    b"Content-Length: 2\r\nContent-Length: 2\r\n",
    b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    b"A: b\r\n c\r\n",
    b"Content-Length: 2\r\nA: b\nC: d\r\n",
    b"Content-Length: x\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"A: \x00\r\n",
    b"A: " + b"x" * 70000 + b"\r\n",
]


@pytest.mark.parametrize("fields", BAD_HEADS)
async def test_a6_a_bad_head_is_a_502_of_which_nothing_is_relayed(fields):
    recorder, idle = await ask_once(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nok")
    assert recorder.told == ["ready", "failure"]
    assert isinstance(recorder.error, BadAnswer)
    assert (recorder.error.status, recorder.error.cloud, recorder.error.sent) == (502, "cloud-1", True)
    assert idle == 0


async def test_a6_a_head_without_end_is_refused_at_64_kib():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        for number in range(20000):
            await peer.send(b"A-%d: b\r\n" % number)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert isinstance(recorder.error, BadAnswer)


async def test_a6_what_is_not_http_is_a_bad_answer():
    recorder, _ = await ask_once(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")
    assert isinstance(recorder.error, BadAnswer)
    assert "SSH" not in str(recorder.error)


async def test_a6_a_bad_chunk_behind_its_head_is_a_502_of_which_nothing_is_relayed():
    recorder, idle = await ask_once(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"
    )
    assert recorder.told == ["ready", "failure"]
    assert isinstance(recorder.error, BadAnswer)
    assert idle == 0


async def test_a6_a_bad_chunk_later_ends_the_answer_with_a_failure():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        await peer.send(b"zz\r\n")
        assert await peer.rest() == b""
        service.heads.append(b"closed")

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert recorder.told == ["ready", "answer", "data", "failure"]
            assert isinstance(recorder.error, BadAnswer)
            await eventually(lambda: service.heads == [b"closed"])


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
    ],
)
async def test_a7_answers_without_a_body_end_with_their_head(method, head):
    async with serving(answering(head, OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            recorder = await asker.ask(request_to(endpoint, method))
            assert recorder.told == ["ready", "answer", "end"]
            assert recorder.head is not None
            assert recorder.head.framing == NoBody()
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert len(service.peers) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n0\r\n",
    ],
)
async def test_a8_a_short_answer_is_a_failure_behind_its_data(answer):
    recorder, _ = await ask_once(answer, close=True)
    assert recorder.told == ["ready", "answer", "data", "failure"]
    assert recorder.body == b"short"
    assert isinstance(recorder.error, ConnectionBroken)
    assert recorder.error.sent


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"])
async def test_a8_no_answer_or_half_a_head_is_a_broken_connection(answer):
    recorder, _ = await ask_once(answer, close=True)
    assert recorder.told == ["ready", "failure"]
    assert isinstance(recorder.error, ConnectionBroken)
    assert recorder.error.status == 502


@pytest.mark.parametrize("extra", [b"x", b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"])
@pytest.mark.parametrize(
    "head", [b"Content-Length: 2\r\n\r\nok", b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
)
async def test_a9_bytes_behind_an_answer_are_dropped_with_the_connection(extra, head):
    recorder, idle = await ask_once(b"HTTP/1.1 200 OK\r\n" + head + extra)
    assert (recorder.told[-1], recorder.body, idle) == ("end", b"ok", 0)


@pytest.mark.parametrize("pause", [0.0, 0.05])
async def test_a9_a_forged_answer_that_comes_later_never_reaches_the_next_user(pause):
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"

    async def script(service: Service, peer: Peer) -> None:
        service.heads.append(await peer.head())
        await peer.send(OK)
        await asyncio.sleep(pause)
        await peer.send(forged)
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            await asyncio.sleep(pause * 2)
            await eventually(lambda: asker.stats().idle == 0)
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert len(service.peers) == 2


async def test_a9_bytes_that_wait_in_the_socket_make_a_connection_unfit():
    async with serving(answering(OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            # Behind the loop's back: the bytes are in our socket before the loop looks at it again.
            socket = service.peers[0].writer.get_extra_info("socket")
            os.write(socket.fileno(), b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert len(service.peers) == 2


async def test_c13_103_is_passed_on_before_the_answer():
    recorder, idle = await ask_once(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK
    )
    assert recorder.told == ["ready", "informational", "informational", "answer", "data", "end"]
    assert [head.status for head in recorder.informed] == [103, 100]
    assert recorder.informed[0].get(b"link") == b"</a>"
    assert idle == 1


async def test_c13_101_unasked_is_a_bad_answer():
    recorder, idle = await ask_once(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    )
    assert recorder.told == ["ready", "failure"]
    assert isinstance(recorder.error, BadAnswer)
    assert idle == 0


async def test_e5_redirects_are_not_followed():
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    recorder, _ = await ask_once(answer)
    assert recorder.head is not None
    assert (recorder.head.status, recorder.head.get(b"location")) == (302, b"http://127.0.0.1:1/")


async def test_a_large_answer_comes_whole_in_pieces_of_at_most_64_kib():
    size = 8 << 20

    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        await peer.send(b"x" * size)
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            _, recorder = asker.start(request_to(endpoint))
            pieces: list[int] = []
            recorder.on_data = lambda data: pieces.append(len(data))
            await recorder.ended()
            assert sum(pieces) == size
            assert max(pieces) <= 64 * 1024
