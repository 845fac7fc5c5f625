"""Clients that read or write slowly, stop doing so, or leave meanwhile: memory, truth and time."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import suppress

import pytest

from oidproxy.upstream.exchange import Exchange as Call
from tests.wire.rig import OK, Peer, Upstream, eventually, rig

GET = b"GET /image/v2/images/1/file HTTP/1.1\r\nHost: p\r\n\r\n"
MIB = 1 << 20


def sized(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size


async def small_window(proxy) -> Peer:
    """A client whose kernel takes little, so that what it does not read stays in the proxy."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (proxy.address, proxy.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    peer = Peer(reader, writer)
    proxy.clients.append(peer)
    return peer


def unsent(proxy) -> int:
    return sum(connection._unsent() for connection in proxy.serving.connections)


def of_sizes(*sizes: int):
    """Answers requests in turn with bodies of these sizes."""

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                upstream.heads.append(await peer.head())
                size = sizes[min(len(upstream.heads), len(sizes)) - 1]
                await peer.send(sized(size))
                for start in range(0, size, MIB):
                    await peer.send(b"x" * min(MIB, size - start))

        return handle

    return make


async def test_d6_answers_to_pipelined_requests_do_not_gather_before_a_client_that_reads_nothing(tmp_path):
    # Each of the first answers comes in one piece: it ends in the moment it fills the buffer.
    sizes = [60_000] * 100 + [64 * MIB]
    async with rig(tmp_path, of_sizes(*sizes)) as proxy:
        peer = await small_window(proxy)
        await peer.send(GET * 200)
        await asyncio.sleep(1.0)
        assert unsent(proxy) < 300_000
        # And nothing is lost: who reads in the end gets every answer.
        asked = len(proxy.upstream.heads)
        peer.patience = 10
        for _ in range(asked + 3):
            await peer.head()
            await peer.exactly(60_000)
        assert len(proxy.upstream.heads) > asked


async def test_d6_own_answers_do_not_gather_before_a_client_that_reads_nothing(tmp_path):
    async with rig(tmp_path) as proxy:
        peer = await small_window(proxy)
        request = b"GET /healthcheck HTTP/1.1\r\nHost: p\r\n\r\n"
        with suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                for _ in range(100):
                    await peer.send(request * 1000)
        assert unsent(proxy) < 300_000
        assert sum(len(one._buffer) for one in proxy.serving.connections) < 500_000


async def test_an_answer_before_a_close_is_not_cut_short_for_a_client_that_reads_slowly(tmp_path):
    size = 120_000
    async with rig(tmp_path, of_sizes(size)) as proxy:
        peer = await small_window(proxy)
        await eventually(lambda: proxy.serving.connections)
        (connection,) = proxy.serving.connections
        served = connection._transport.get_extra_info("socket")
        served.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await peer.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await peer.head()
        got = 0
        while got < size:
            got += len(await peer.exactly(min(10_000, size - got)))
            await asyncio.sleep(0.35)
        assert await peer.rest() == b""


async def test_a_client_that_reads_nothing_of_a_last_answer_is_let_go(tmp_path):
    async with rig(tmp_path, of_sizes(8 * MIB), more="limits: {between_bytes: 300ms}\n") as proxy:
        peer = await small_window(proxy)
        await peer.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await eventually(lambda: proxy.serving.connections)
        await eventually(lambda: not proxy.serving.connections)


async def test_e7_a_client_that_leaves_while_a_slow_cloud_holds_its_upload(tmp_path):
    gone = asyncio.Event()

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.wait_for(gone.wait(), 6)

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(
            b"PUT /image/v2/images/1/file HTTP/1.1\r\nHost: p\r\nContent-Length: 99999999\r\n\r\n"
        )
        with suppress(TimeoutError):
            for _ in range(64):
                await asyncio.wait_for(peer.send(b"x" * MIB), 0.3)
        assert proxy.serving.connections
        # A mere close would not be seen: its FIN waits behind the data that nobody takes.
        sock = peer.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.reset()
        await eventually(lambda: not proxy.serving.connections, 2)
        await eventually(lambda: not any(one.busy for one in proxy.serving.upstreams.stats()), 2)
        gone.set()


async def test_e7_a_client_that_leaves_after_its_upload_while_the_store_commits(tmp_path, monkeypatch):
    """The last piece made the cloud's connection hold, and nothing comes after it that would let go."""
    gone = asyncio.Event()
    send = Call.send

    def send_and_hold(call: Call, data: bytes) -> None:
        send(call, data)
        call.receiver.hold()

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.rest()
            gone.set()

        return handle

    monkeypatch.setattr(Call, "send", send_and_hold)
    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(b"PUT /image/v2/images/1/file HTTP/1.1\r\nHost: p\r\nContent-Length: 5\r\n\r\nhello")
        await eventually(lambda: proxy.upstream.heads)
        await asyncio.sleep(0.2)
        (connection,) = proxy.serving.connections
        assert not connection._paused
        peer.close()
        async with asyncio.timeout(1):
            await gone.wait()


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_an_early_answer_outlives_the_patience_with_a_body_that_stopped(tmp_path, method):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.exactly(5)
            await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 20\r\n\r\n")
            for _ in range(10):
                await peer.send(b"no")
                await asyncio.sleep(0.1)
            await peer.rest()

        return handle

    async with rig(tmp_path, make, more="limits: {body_idle: 300ms, body_rate: 1000}\n") as proxy:
        peer = await proxy.client()
        await peer.send(method + b" /compute/v2.1/x HTTP/1.1\r\nHost: p\r\nContent-Length: 100\r\n\r\nhello")
        assert (await peer.head()).startswith(b"HTTP/1.1 413 ")
        assert await peer.rest() == b"no" * 10


async def test_d2_time_that_a_slow_cloud_holds_a_body_does_not_count_against_its_client(tmp_path):
    release = asyncio.Event()
    size = 24 * MIB

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            transport = peer.reader._transport  # type: ignore[attr-defined]
            transport.pause_reading()
            await release.wait()
            transport.resume_reading()
            await peer.exactly(size)
            await peer.send(OK)

        return handle

    limits = "limits: {body_idle: 400ms, body_rate: 40000000}\n"
    async with rig(tmp_path, make, more=limits) as proxy:
        peer = await proxy.client()
        await peer.send(b"POST /compute/v2.1/x HTTP/1.1\r\nHost: p\r\nContent-Length: %d\r\n\r\n" % size)

        async def upload() -> None:
            for _ in range(24):
                await peer.send(b"x" * MIB)

        uploading = asyncio.create_task(upload())
        await asyncio.sleep(1.5)
        release.set()
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        await uploading


async def test_d1_a_client_that_reads_slowly_is_not_blamed_for_requests_that_wait_for_it(tmp_path):
    async with rig(tmp_path, of_sizes(60_000), more="limits: {head: 300ms}\n") as proxy:
        peer = await small_window(proxy)
        await peer.send(GET * 150)
        await asyncio.sleep(1.0)
        for _ in range(150):
            assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
            await peer.exactly(60_000)


async def test_d1_an_empty_line_behind_a_body_begins_no_head(tmp_path):
    async with rig(tmp_path, more="limits: {head: 200ms}\n") as proxy:
        peer = await proxy.client()
        await peer.send(GET + b"\r\n")
        await peer.head()
        await peer.exactly(2)
        await asyncio.sleep(0.5)
        await peer.send(GET[:20])
        await asyncio.sleep(0.1)
        await peer.send(GET[20:])
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")


async def test_an_answer_that_a_cloud_cut_short_is_not_said_to_be_left_by_the_client(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.send(sized(10) + b"short")

        return handle

    async with rig(tmp_path, make) as proxy:
        await proxy.ask(GET)
        await eventually(lambda: not proxy.serving.connections)
        proxy.serving.access.flush()
        line = json.loads(proxy.log.read_text())
        assert (line["status"], line["error"]) == (200, "connection-broken")
        assert "lost" not in line
