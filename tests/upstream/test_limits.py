"""Part D of the gateway checklist, towards clouds: places, waiting, times."""

from __future__ import annotations

import asyncio

import pytest

from oidproxy.errors import AnswerTimedOut, ConnectTimedOut, Overloaded
from oidproxy.http.head import Length
from tests.upstream.asking import Asker, asking, endpoint_at, eventually, registry_of, request_to
from tests.upstream.service import OK, Peer, Service, answering, serving


class Gate:
    """A service that answers a request only when told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, service: Service, peer: Peer) -> None:
        while True:
            service.heads.append(await peer.head())
            await self.open.wait()
            await peer.send(OK)


async def test_d3_an_idle_connection_is_closed_after_the_keep_alive():
    async with serving(answering(OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, upstream_keep_alive=0.2)) as asker:
            await asker.ask(request_to(endpoint))
            await asker.ask(request_to(endpoint))
            assert len(service.peers) == 1
            began = asyncio.get_running_loop().time()
            await eventually(service.peers[0].reader.at_eof)
            assert 0.15 <= asyncio.get_running_loop().time() - began <= 0.6
            await asker.ask(request_to(endpoint))
            assert len(service.peers) == 2


async def test_d3_an_idle_connection_past_its_time_is_not_used_even_before_a_sweep():
    async with serving(answering(OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, upstream_keep_alive=0.04)) as asker:
            await asker.ask(request_to(endpoint))
            import time

            time.sleep(0.06)  # noqa: ASYNC251 - the loop is stuck, no sweep runs
            await asker.ask(request_to(endpoint))
            assert len(service.peers) == 2


async def test_d4_no_answer_in_time_is_a_504():
    async with serving(Gate()) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, first_byte=0.2)) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert isinstance(recorder.error, AnswerTimedOut)
            assert (recorder.error.status, recorder.error.cloud, recorder.error.sent) == (
                504,
                "cloud-1",
                True,
            )
            assert recorder.told == ["ready", "failure"]
            assert asker.stats().idle == 0


async def test_d4_the_first_byte_is_waited_for_from_the_end_of_the_body():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.exactly(8)
        await asyncio.sleep(0.1)
        await peer.send(OK)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, first_byte=0.3)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(8)))
            await recorder.was_told("ready")
            for _ in range(8):
                await asyncio.sleep(0.1)
                call.send(b"x")
            call.finish()
            assert (await recorder.ended()).body == b"ok"


async def test_d4_an_image_that_was_sent_is_waited_for_longer():
    gate = Gate()
    async with serving(gate) as service:
        endpoint = endpoint_at(service.port, service="image")
        async with asking(registry_of(endpoint, first_byte=0.1, image_first_byte=10.0)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(1)))
            await recorder.was_told("ready")
            call.send(b"x")
            call.finish()
            await asyncio.sleep(0.4)
            assert not recorder.over
            gate.open.set()
            await recorder.ended()


async def test_d4_an_image_that_is_asked_for_is_waited_for_no_longer_than_anything():
    gate = Gate()
    async with serving(gate) as service:
        endpoint = endpoint_at(service.port, service="image")
        async with asking(registry_of(endpoint, first_byte=0.1, image_first_byte=3600.0)) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert isinstance(recorder.error, AnswerTimedOut)
            gate.open.set()


async def test_d4_a_request_of_its_own_time_is_waited_for_longer():
    gate = Gate()
    async with serving(gate) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, first_byte=0.1)) as asker:
            _, recorder = asker.start(request_to(endpoint, first_byte=10.0))
            await asyncio.sleep(0.4)
            assert not recorder.over
            gate.open.set()
            assert (await recorder.ended()).body == b"ok"


async def test_d4_an_answer_that_stops_is_a_failure():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, between_bytes=0.2)) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert recorder.told == ["ready", "answer", "data", "failure"]
            assert isinstance(recorder.error, AnswerTimedOut)


async def test_d4_bytes_now_and_then_are_enough_and_a_pause_of_ours_does_not_count():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.1)
            await peer.send(b"x")
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, between_bytes=0.3)) as asker:
            call, recorder = asker.start(request_to(endpoint))
            await recorder.was_told("data")
            call.pause()
            await asyncio.sleep(0.8)
            assert not recorder.over
            call.resume()
            assert (await recorder.ended()).body == b"x" * 8


@pytest.mark.parametrize("service_type", ["compute", "image"])
async def test_d4_a_cloud_that_stops_reading_a_body_is_a_504(service_type):
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.pause_reading()
        await asyncio.sleep(10)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port, service=service_type)
        async with asking(registry_of(endpoint, first_byte=0.3)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(1 << 30)))
            await recorder.was_told("ready")
            while not recorder.over:
                if recorder.told[-1] == "ready":
                    call.send(b"x" * 65536)
                await asyncio.sleep(0.001)
            assert isinstance(recorder.error, AnswerTimedOut)
            assert "stopped reading" in recorder.error.message


async def test_d4_an_asker_that_is_slow_with_its_body_is_not_the_clouds_fault():
    async with serving(Gate()) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, first_byte=0.1)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(8)))
            await recorder.was_told("ready")
            call.send(b"1234")
            await asyncio.sleep(0.4)
            assert not recorder.over
            call.send(b"5678")
            call.finish()
            assert isinstance((await recorder.ended()).error, AnswerTimedOut)


async def test_d4_a_connection_that_is_not_taken_in_time_is_a_504():
    """TLS that nobody speaks: the connection is there, the session never."""

    async def script(service: Service, peer: Peer) -> None:
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port, scheme="https")
        async with asking(registry_of(endpoint, connect=0.2)) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert isinstance(recorder.error, ConnectTimedOut)
            assert (recorder.error.status, recorder.error.sent) == (504, False)
            assert recorder.told == ["failure"]
            assert asker.stats().totals.retried == 0


def start_many(asker: Asker, endpoint, count: int, *, from_service: bool = False):
    return [asker.start(request_to(endpoint, from_service=from_service))[1] for _ in range(count)]


async def test_d5_users_leave_a_quarter_of_64_connections_to_services():
    gate = Gate()
    async with serving(gate) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            users = start_many(asker, endpoint, 60)
            await eventually(lambda: len(service.heads) == 48)
            services = start_many(asker, endpoint, 20, from_service=True)
            await eventually(lambda: len(service.heads) == 64)
            await asyncio.sleep(0.02)
            stats = asker.stats()
            assert (len(service.peers), stats.busy, stats.users, stats.waiting) == (64, 64, 48, 16)
            gate.open.set()
            for recorder in users + services:
                assert (await recorder.ended()).body == b"ok"
            assert len(service.peers) == 64
            assert (asker.stats().busy, asker.stats().users) == (0, 0)


async def test_d5_services_go_first_and_each_line_in_its_order():
    done: list[str] = []

    async def script(service: Service, peer: Peer) -> None:
        while True:
            head = await peer.head()
            done.append(head.partition(b"X-Who: ")[2].partition(b"\r\n")[0].decode())
            await asyncio.sleep(0.005)
            await peer.send(OK)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, pool=1, pool_reserved=0)) as asker:
            recorders = []
            for name in ("u0", "u1", "s1", "u2", "s2"):
                request = request_to(
                    endpoint, from_service=name[0] == "s", more=b"X-Who: %b\r\n" % name.encode()
                )
                recorders.append(asker.start(request)[1])
            for recorder in recorders:
                await recorder.ended()
            assert done == ["u0", "s1", "s2", "u1", "u2"]


async def test_d5_a_call_beside_200_others_that_nest_does_not_deadlock():
    """Each user's call at compute makes, while it is under way, a service's call at the same pool."""
    async with asyncio.timeout(20):
        asker: Asker

        async def script(service: Service, peer: Peer) -> None:
            while True:
                head = await peer.head()
                if b"X-Who: user" in head:
                    nested = await asker.ask(request_to(endpoint, from_service=True))
                    assert nested.body == b"ok"
                await peer.send(OK)

        async with serving(script) as service:
            endpoint = endpoint_at(service.port)
            async with asking(registry_of(endpoint)) as asker:
                recorders = [
                    asker.start(request_to(endpoint, more=b"X-Who: user\r\n"))[1] for _ in range(200)
                ]
                for recorder in recorders:
                    assert (await recorder.ended()).body == b"ok"
                assert asker.stats().totals.refused == 0
                assert len(service.peers) <= 64


async def test_d5_nobody_waits_longer_than_the_limit():
    async with serving(Gate()) as service:
        endpoint = endpoint_at(service.port)
        async with asking(
            registry_of(endpoint, pool=1, pool_reserved=0, wait=0.3, upstream_keep_alive=0.28)
        ) as asker:
            start_many(asker, endpoint, 1)
            began = asyncio.get_running_loop().time()
            (late,) = start_many(asker, endpoint, 1)
            await late.ended()
            waited = asyncio.get_running_loop().time() - began
            assert isinstance(late.error, Overloaded)
            assert (late.error.status, late.error.fields["Retry-After"], late.error.sent) == (503, "1", False)
            assert 0.15 <= waited <= 0.315


async def test_d5_more_than_the_limit_do_not_wait_at_all_and_users_leave_services_their_line():
    async with serving(Gate()) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, pool=1, pool_reserved=0, waiting=3)) as asker:
            users = start_many(asker, endpoint, 1 + 3 + 1)
            assert isinstance(users[-1].error, Overloaded)
            assert "waiting" in users[-1].error.message
            services = start_many(asker, endpoint, 3 + 1, from_service=True)
            assert [recorder.over for recorder in users] == [False] * 4 + [True]
            assert [recorder.over for recorder in services] == [False] * 3 + [True]


async def test_d5_identity_has_a_pool_and_a_bound_of_its_own():
    gate = Gate()
    async with serving(gate) as service:
        compute, identity = endpoint_at(service.port), endpoint_at(service.port, service="identity")
        registry = registry_of(compute, identity, pool=2, pool_reserved=1, identity_pool=4)
        async with asking(registry) as asker:
            start_many(asker, compute, 5)
            start_many(asker, identity, 5)
            await eventually(lambda: len(service.heads) == 1 + 3)
            assert (asker.stats("compute").busy, asker.stats("identity").busy) == (1, 3)


async def test_d5_the_connections_are_shared_among_worker_processes():
    gate = Gate()
    async with serving(gate) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, pool=8, pool_reserved=2), workers=2) as asker:
            start_many(asker, endpoint, 10)
            start_many(asker, endpoint, 10, from_service=True)
            await eventually(lambda: len(service.heads) == 4)
            assert (asker.stats().users, asker.stats().busy) == (3, 4)


async def test_who_waits_may_leave():
    gate = Gate()
    async with serving(gate) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, pool=1, pool_reserved=0)) as asker:
            (first,) = start_many(asker, endpoint, 1)
            call, gone = asker.start(request_to(endpoint))
            (third,) = start_many(asker, endpoint, 1)
            call.cancel()
            assert asker.stats().waiting == 1
            gate.open.set()
            await first.ended()
            await third.ended()
            assert gone.told == []
            assert len(service.heads) == 2


async def test_e8_connections_are_never_shared_between_clouds():
    async with serving(answering(OK)) as service:
        one, other = endpoint_at(service.port, cloud="cloud-1"), endpoint_at(service.port, cloud="cloud-2")
        async with asking(registry_of(one, other)) as asker:
            await asker.ask(request_to(one))
            await asker.ask(request_to(other))
            await asker.ask(request_to(one))
            assert len(service.peers) == 2


async def test_e8_proxy_variables_have_no_effect(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    async with serving(answering(OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            assert (await asker.ask(request_to(endpoint))).body == b"ok"


async def test_nothing_is_swept_while_nothing_is_open():
    async with serving(answering(OK)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, upstream_keep_alive=0.05)) as asker:
            await asker.ask(request_to(endpoint))
            await eventually(lambda: asker.upstreams._timer is None)
            assert asker.upstreams.stats() == []
            assert asker.upstreams.totals()["cloud-1", "compute"].calls == 1
            await asker.ask(request_to(endpoint))
            assert asker.upstreams._timer is not None
