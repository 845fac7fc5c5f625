"""A new registry in the middle of calls; small answers that are awaited; the end of the process."""

from __future__ import annotations

import asyncio

import pytest

from oidproxy.errors import BadAnswer, ConnectionBroken, ConnectRefused, Ejected
from oidproxy.http.head import Chunked, Length
from tests.upstream.asking import asking, endpoint_at, eventually, registry_of, request_to
from tests.upstream.service import OK, Peer, Service, answering, serving


async def test_pools_of_endpoints_that_stay_keep_their_connections():
    async with serving(answering(OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            await asker.ask(request_to(endpoint))
            asker.upstreams.swap(registry_of(endpoint_at(1, cloud="new"), endpoint, pool=7))
            await asker.ask(request_to(endpoint))
            assert len(service.peers) == 1
            assert asker.stats().idle == 1


@pytest.mark.parametrize("change", ["removed", "other address", "other authorities"])
async def test_pools_of_endpoints_that_go_finish_their_calls_and_close(change):
    release = asyncio.Event()

    async def script(service: Service, peer: Peer) -> None:
        while True:
            service.heads.append(await peer.head())
            if len(service.heads) > 1:
                await release.wait()
            await peer.send(OK)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            await asker.ask(request_to(endpoint))
            _, recorder = asker.start(request_to(endpoint))
            _, second = asker.start(request_to(endpoint))
            await eventually(lambda: len(service.heads) == 3)
            asker.upstreams.swap(
                {
                    "removed": registry_of(endpoint_at(1, cloud="other")),
                    "other address": registry_of(endpoint_at(1)),
                    "other authorities": registry_of(endpoint, insecure=True),
                }[change]
            )
            assert not recorder.over
            release.set()
            assert (await recorder.ended()).body == b"ok"
            assert (await second.ended()).body == b"ok"
            for peer in service.peers:
                await eventually(peer.reader.at_eof, 1)


async def test_a_call_routed_before_the_reload_keeps_its_endpoint_and_leaves_no_connection():
    async with serving(answering(OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            asker.upstreams.swap(registry_of(endpoint_at(1)))
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            await eventually(service.peers[0].reader.at_eof, 1)


async def test_an_ejection_outlives_a_reload():
    endpoint = endpoint_at(1)
    async with asking(registry_of(endpoint)) as asker:
        for _ in range(5):
            assert isinstance((await asker.ask(request_to(endpoint))).error, ConnectRefused)
        asker.upstreams.swap(registry_of(endpoint))
        assert isinstance((await asker.ask(request_to(endpoint))).error, Ejected)


async def test_new_limits_hold_from_the_reload_on():
    async def script(service: Service, peer: Peer) -> None:
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            _, recorder = asker.start(request_to(endpoint))
            asker.upstreams.swap(registry_of(endpoint, first_byte=0.1))
            assert (await recorder.ended(2)).error is not None


async def test_fetch_gives_the_whole_answer():
    head = b"HTTP/1.1 201 Created\r\nX-Subject-Token: t\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def script(service: Service, peer: Peer) -> None:
        while True:
            service.heads.append(await peer.head())
            if b"Content-Length: 5" in service.heads[-1]:
                service.heads.append(await peer.exactly(5))
            await peer.send(head + b"2\r\n{}\r\n0\r\n\r\n")

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            for _ in range(2):
                whole = await asker.upstreams.fetch(
                    request_to(endpoint, "POST", Length(5)), b"hello", limit=100
                )
                assert (whole.head.status, whole.head.get(b"x-subject-token"), whole.body) == (
                    201,
                    b"t",
                    b"{}",
                )
            whole = await asker.upstreams.fetch(request_to(endpoint), limit=2)
            assert whole.body == b"{}"
            assert service.heads[1::2] == [b"hello"] * 2
            assert len(service.peers) == 1
            assert asker.stats().idle == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
    ],
)
async def test_fetch_takes_no_more_than_its_limit(answer):
    async with serving(answering(answer)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            with pytest.raises(BadAnswer, match="larger than 10 bytes") as caught:
                await asker.upstreams.fetch(request_to(endpoint), limit=10)
            assert (caught.value.status, caught.value.cloud) == (502, "cloud-1")
            assert (asker.stats().idle, asker.stats().busy) == (0, 0)


async def test_fetch_raises_what_failed():
    endpoint = endpoint_at(1)
    async with asking(registry_of(endpoint)) as asker:
        with pytest.raises(ConnectRefused):
            await asker.upstreams.fetch(request_to(endpoint), limit=10)
        for _ in range(4):
            with pytest.raises(ConnectRefused):
                await asker.upstreams.fetch(request_to(endpoint), limit=10)
        with pytest.raises(Ejected):
            await asker.upstreams.fetch(request_to(endpoint), limit=10)


async def test_a_fetch_that_is_cancelled_leaves_nothing_behind():
    async def script(service: Service, peer: Peer) -> None:
        service.heads.append(await peer.head())
        service.heads.append(await peer.rest())

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asker.upstreams.fetch(request_to(endpoint), limit=10)
            await eventually(lambda: len(service.heads) == 2)
            assert asker.stats().busy == 0


async def test_closing_cuts_every_call_off():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        silent = endpoint_at(service.port, cloud="tls", scheme="https")
        async with asking(registry_of(endpoint, silent, pool=2, pool_reserved=0)) as asker:
            recorders = [asker.start(request_to(endpoint))[1] for _ in range(3)]
            connecting = asker.start(request_to(silent))[1]
            call, uploading = asker.start(request_to(endpoint, "PUT", Chunked(), from_service=True))
            await asyncio.sleep(0.05)
            await asker.upstreams.close()
            for recorder in [*recorders, connecting, uploading]:
                assert isinstance(recorder.error, ConnectionBroken)
            call.cancel()
            for peer in service.peers:
                await eventually(peer.reader.at_eof)


async def test_the_stats_count_what_happened():
    async with serving(answering(OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            for _ in range(3):
                await asker.ask(request_to(endpoint))
            stats = asker.stats()
            assert (stats.cloud, stats.service_type, stats.origin) == (
                "cloud-1",
                "compute",
                f"http://127.0.0.1:{service.port}",
            )
            assert (stats.totals.calls, stats.totals.opened, stats.totals.reused, stats.totals.failed) == (
                3,
                1,
                2,
                0,
            )
