"""Parts D and E of the gateway checklist on the wire: slow peers, bounded memory, clouds that fail."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.wire.rig import OK, Peer, Upstream, answering, eventually, rig


def lines(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_d1_a_head_that_does_not_end_is_408(tmp_path):
    async with rig(tmp_path, more="limits: {head: 300ms}\n") as proxy:
        answer = await proxy.ask(b"GET /image/v2 HTTP/1.1\r\nHost: pro")
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_d2_a_body_that_stops_coming_is_408(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.rest()

        return handle

    async with rig(tmp_path, make, more="limits: {body_idle: 300ms}\n") as proxy:
        answer = await proxy.ask(b"POST /image/v2 HTTP/1.1\r\nHost: p\r\nContent-Length: 10\r\n\r\nabc")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert await proxy.upstream.connections[0].rest() == b""


async def test_d2_a_slow_post_is_408_and_a_slow_image_upload_is_served(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.exactly(12)
            await peer.send(OK)

        return handle

    async def drip(peer: Peer) -> None:
        for _ in range(12):
            await peer.send(b"x")
            await asyncio.sleep(0.1)

    async with rig(tmp_path, make, more="limits: {body_idle: 400ms, body_rate: 100}\n") as proxy:
        slow = await proxy.client()
        await slow.send(b"POST /compute/v2.1/servers HTTP/1.1\r\nHost: p\r\nContent-Length: 12\r\n\r\n")
        await asyncio.gather(drip(slow), return_exceptions=True)
        assert (await slow.head()).startswith(b"HTTP/1.1 408 ")
        bulk = await proxy.client()
        await bulk.send(b"PUT /image/v2/images/1/file HTTP/1.1\r\nHost: p\r\nContent-Length: 12\r\n\r\n")
        await drip(bulk)
        assert (await bulk.head()).startswith(b"HTTP/1.1 200 ")


async def test_d3_an_idle_client_connection_is_closed(tmp_path):
    async with rig(tmp_path, more="limits: {client_keep_alive: 200ms}\n") as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert await peer.rest() == b"ok"


async def test_d3_an_idle_upstream_connection_is_closed(tmp_path):
    async with rig(tmp_path, more="limits: {upstream_keep_alive: 200ms}\n") as proxy:
        peer = await proxy.client()
        for _ in range(2):
            await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
            await peer.head()
            await peer.exactly(2)
        assert len(proxy.upstream.connections) == 1
        await eventually(proxy.upstream.connections[0].reader.at_eof)


async def test_d4_a_refused_connection_is_502_and_says_which_cloud(tmp_path):
    async with rig(tmp_path) as proxy:
        await proxy.upstream.stop()
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        head = await peer.head()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"X-Oidproxy-Error: connect-refused" in head
        assert b"cloud-1" in await peer.until(b"}}")


async def test_d4_no_answer_in_time_is_504(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.rest()

        return handle

    async with rig(tmp_path, make, more="limits: {first_byte: 300ms}\n") as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /compute/v2.1 HTTP/1.1\r\nHost: p\r\n\r\n")
        assert (await peer.head()).startswith(b"HTTP/1.1 504 ")


async def test_d5_a_full_pool_is_503_with_retry_after(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.rest()

        return handle

    async with rig(tmp_path, make, more="limits: {pool: 2, pool_reserved: 1, wait: 200ms}\n") as proxy:
        first, second = await proxy.client(), await proxy.client()
        await first.send(b"GET /compute/v2.1 HTTP/1.1\r\nHost: p\r\n\r\n")
        await eventually(lambda: proxy.upstream.heads)
        await second.send(b"GET /compute/v2.1 HTTP/1.1\r\nHost: p\r\n\r\n")
        head = await second.head()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in head


async def test_d6_a_cloud_that_does_not_read_holds_the_client(tmp_path):
    release = asyncio.Event()
    got = bytearray()

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            peer.reader._transport.pause_reading()  # type: ignore[attr-defined]  # a cloud that stops reading
            await release.wait()
            peer.reader._transport.resume_reading()  # type: ignore[attr-defined]
            got.extend(await peer.exactly(64 << 20))
            await peer.send(OK)

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(
            b"PUT /image/v2/images/1/file HTTP/1.1\r\nHost: p\r\nContent-Length: %d\r\n\r\n" % (64 << 20)
        )
        block, sent = b"x" * (1 << 20), 0
        with pytest.raises(TimeoutError):
            for _ in range(64):
                peer.writer.write(block)
                await asyncio.wait_for(peer.writer.drain(), 0.5)
                sent += 1
        assert sent < 32, "the proxy took an image that nobody read"
        release.set()
        for _ in range(64 - sent - 1):
            await peer.send(block)
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert len(got) == 64 << 20


async def test_d6_a_body_that_routing_must_read_has_a_limit(tmp_path):
    async with rig(tmp_path) as proxy:
        answer = await proxy.ask(
            b"POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: p\r\nContent-Length: 2000000\r\n\r\n"
            + b"x" * 1000
        )
        assert answer.startswith(b"HTTP/1.1 413 ")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        answer = await proxy.ask(
            b"POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunk * 20
        )
        assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
async def test_e1_a_dead_pooled_connection_is_retried_once_for_safe_methods(tmp_path, method):
    async with rig(tmp_path, _closing_after_first) as proxy:
        peer = await proxy.client()
        await _first(peer)
        await peer.send(method + b" /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert len(proxy.upstream.connections) == 2


@pytest.mark.parametrize("method", [b"DELETE", b"POST", b"PUT", b"PATCH"])
async def test_e1_what_may_have_happened_is_never_sent_again(tmp_path, method):
    async with rig(tmp_path, _closing_after_first) as proxy:
        peer = await proxy.client()
        await _first(peer)
        await peer.send(method + b" /image/v2 HTTP/1.1\r\nHost: p\r\nContent-Length: 0\r\n\r\n")
        assert (await peer.head()).startswith(b"HTTP/1.1 502 ")
        assert len(proxy.upstream.heads) == 2
        assert len(proxy.upstream.connections) == 1


def _closing_after_first(upstream: Upstream):
    """Answers one request, reads the second and closes without a byte; on later connections answers all."""

    async def handle(peer: Peer) -> None:
        upstream.heads.append(await peer.head())
        await peer.send(OK)
        if len(upstream.connections) == 1:
            upstream.heads.append(await peer.head())
            return
        while True:
            upstream.heads.append(await peer.head())
            await peer.send(OK)

    return handle


async def _first(peer: Peer) -> None:
    await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
    await peer.head()
    await peer.exactly(2)


async def test_e3_an_endpoint_that_keeps_failing_is_left_alone(tmp_path):
    async with rig(tmp_path) as proxy:
        await proxy.upstream.stop()
        statuses = []
        for _ in range(7):
            peer = await proxy.client()
            await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
            statuses.append((await peer.head()).split()[1])
        assert statuses == [b"502"] * 5 + [b"503"] * 2


async def test_e5_redirects_are_the_clients(tmp_path):
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/x\r\nContent-Length: 0\r\n\r\n"
    async with rig(tmp_path, answering(answer)) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        head = await peer.head()
        assert head.startswith(b"HTTP/1.1 302 ")
        assert b"Location: http://elsewhere.example/x" in head


async def test_e6_an_early_answer_during_an_upload_is_relayed_at_once(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.exactly(5)
            await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            await peer.rest()

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(
            b"PUT /image/v2/images/1/file HTTP/1.1\r\nHost: p\r\nContent-Length: 1000000\r\n\r\nhello"
        )
        head = await peer.head()
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"onnection: close" in head
        assert await peer.rest() == b"no"


async def test_e7_a_client_that_leaves_takes_its_call_with_it(tmp_path):
    gone = asyncio.Event()

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.rest()
            gone.set()

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        await eventually(lambda: proxy.upstream.heads)
        peer.reset()
        async with asyncio.timeout(0.5):
            await gone.wait()


async def test_e8_proxy_variables_have_no_effect(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")


async def test_g8_no_token_reaches_the_access_log(tmp_path):
    secret = "gAAAAABsecretsecretsecretsecretsecret"
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(
            b"GET /image/v2?temp_url_sig=sig1234567890 HTTP/1.1\r\nHost: p\r\nX-Auth-Token: %s\r\n\r\n"
            % secret.encode()
        )
        await peer.head()
        await peer.exactly(2)
        await eventually(
            lambda: (proxy.serving.access.flush(), proxy.log.exists() and proxy.log.read_text())[1]
        )
        text = proxy.log.read_text()
        assert secret not in text
        assert "sig1234567890" not in text
        (line,) = lines(proxy.log)
        assert line["status"] == 200
        assert line["cloud"] == "cloud-1"
        assert line["service"] == "image"
