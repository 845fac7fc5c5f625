"""Part E of the gateway checklist: clouds that fail."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from oidproxy.errors import ConnectionBroken, ConnectRefused, Ejected, Overloaded
from oidproxy.http.head import Chunked, Length, NoBody
from tests.upstream.asking import Asker, asking, endpoint_at, eventually, registry_of, request_to
from tests.upstream.service import OK, Peer, Service, answering, serving


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def closing_after_first(service: Service, peer: Peer) -> None:
    """The first connection serves one request, reads the second and closes; later ones serve all."""
    first = len(service.peers) == 1
    service.heads.append(await peer.head())
    await peer.send(OK)
    if first:
        service.heads.append(await peer.head())
        return
    while True:
        service.heads.append(await peer.head())
        await peer.send(OK)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_e1_a_kept_connection_that_closes_without_an_answer_is_tried_again(method):
    async with serving(closing_after_first) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            await asker.ask(request_to(endpoint))
            recorder = await asker.ask(request_to(endpoint, method))
            assert recorder.told[-1] == "end"
            assert (len(service.peers), len(service.heads)) == (2, 3)
            assert asker.stats().totals.retried == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "COPY"])
async def test_e1_what_may_have_happened_is_not_done_again(method):
    async with serving(closing_after_first) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            await asker.ask(request_to(endpoint))
            recorder = await asker.ask(request_to(endpoint, method))
            assert isinstance(recorder.error, ConnectionBroken)
            assert (recorder.error.status, recorder.error.sent) == (502, True)
            assert len(service.heads) == 2


async def test_e1_a_get_whose_empty_chunked_body_was_ended_is_not_done_again():
    """Its last chunk is gone: on another connection the body would never end."""
    async with serving(closing_after_first) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            await asker.ask(request_to(endpoint))
            call, recorder = asker.start(request_to(endpoint, "GET", Chunked()))
            call.finish()
            assert isinstance((await recorder.ended()).error, ConnectionBroken)
            assert len(service.peers) == 1


async def test_e1_a_get_whose_body_was_begun_is_not_done_again():
    async with serving(closing_after_first) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            await asker.ask(request_to(endpoint))
            call, recorder = asker.start(request_to(endpoint, "GET", Length(5)))
            call.send(b"abc")
            assert isinstance((await recorder.ended()).error, ConnectionBroken)
            assert len(service.peers) == 1


async def test_e1_a_new_connection_that_closes_without_an_answer_is_not_tried_again():
    async def script(service: Service, peer: Peer) -> None:
        service.heads.append(await peer.head())

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert isinstance(recorder.error, ConnectionBroken)
            assert len(service.heads) == 1


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
async def test_e1_never_after_a_byte_of_an_answer(begun):
    async def script(service: Service, peer: Peer) -> None:
        service.heads.append(await peer.head())
        await peer.send(OK)
        service.heads.append(await peer.head())
        await peer.send(begun)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            await asker.ask(request_to(endpoint))
            assert isinstance((await asker.ask(request_to(endpoint))).error, ConnectionBroken)
            assert len(service.peers) == 1


async def one_each(service: Service, peer: Peer) -> None:
    """Every connection serves one request, reads the next and closes without a byte."""
    service.heads.append(await peer.head())
    await peer.send(OK)
    service.heads.append(await peer.head())


async def test_e1_every_call_has_its_own_second_try():
    async with serving(one_each) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            for _ in range(6):
                assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert asker.stats().totals.retried == 5


async def test_e1_what_closed_one_kept_connection_is_taken_to_have_closed_all():
    async with serving(one_each) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            for recorder in [asker.start(request_to(endpoint))[1] for _ in range(4)]:
                await recorder.ended()
            assert asker.stats().idle == 4
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert asker.stats().idle == 1


async def test_e1_once_only():
    async def script(service: Service, peer: Peer) -> None:
        service.heads.append(await peer.head())
        if len(service.peers) == 1:
            await peer.send(OK)
            service.heads.append(await peer.head())

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            await asker.ask(request_to(endpoint))
            assert isinstance((await asker.ask(request_to(endpoint))).error, ConnectionBroken)
            assert len(service.heads) == 3


@pytest.mark.parametrize(
    ("method", "framing"), [("POST", Length(3)), ("DELETE", Length(0)), ("GET", NoBody())]
)
@pytest.mark.parametrize("failures", [1, 2])
async def test_e1_what_was_never_sent_is_tried_once_more_whatever_the_method(method, framing, failures):
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.exactly(getattr(framing, "size", 0))
        await peer.send(OK)
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, retry_share=5.0)) as asker:
            loop, tries = asyncio.get_running_loop(), []

            async def refusing_first(loop, *args, **options):
                tries.append(args)
                if len(tries) <= failures:
                    raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
                return await loop.create_connection(*args, **options)

            asker.upstreams._around.connector._loop = Patched(loop, refusing_first)  # type: ignore[assignment]
            call, recorder = asker.start(request_to(endpoint, method, framing))
            await eventually(lambda: recorder.told)
            call.send(b"abc")
            call.finish()
            await recorder.ended()
            assert len(tries) == 2
            assert recorder.told == (["ready", "answer", "data", "end"] if failures == 1 else ["failure"])


class Patched:
    """A loop whose connections come from somewhere else."""

    def __init__(self, loop, create_connection) -> None:
        self._loop = loop
        self._create = create_connection

    async def create_connection(self, *args, **options):
        return await self._create(self._loop, *args, **options)

    def __getattr__(self, name):
        return getattr(self._loop, name)


async def test_a_refused_connection_is_a_502_that_names_the_cloud_and_shows_no_address():
    port = free_port()
    endpoint = endpoint_at(port)
    async with asking(registry_of(endpoint)) as asker:
        recorder = await asker.ask(request_to(endpoint))
        assert isinstance(recorder.error, ConnectRefused)
        assert (recorder.error.status, recorder.error.cloud, recorder.error.sent) == (502, "cloud-1", False)
        assert (
            recorder.error.message
            == "cloud-1: its compute service cannot be connected to: connection refused."
        )
        assert recorder.told == ["failure"]


async def test_a_host_that_nobody_knows_is_a_502():
    async def lookup(host: str) -> tuple[str, ...]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    from oidproxy.upstream.resolving import Resolver

    endpoint = endpoint_at(80, host="nobody.invalid")
    resolver = Resolver(asyncio.get_running_loop(), lookup=lookup)
    async with asking(registry_of(endpoint), resolver=resolver) as asker:
        recorder = await asker.ask(request_to(endpoint))
        assert isinstance(recorder.error, ConnectRefused)
        assert "unknown host" in recorder.error.message


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EADDRNOTAVAIL])
async def test_what_this_machine_lacks_is_not_the_clouds_fault(number):
    async def failing(loop, *args, **options):
        raise OSError(number, "no more")

    endpoint = endpoint_at(1)
    async with asking(registry_of(endpoint)) as asker:
        loop = asyncio.get_running_loop()
        asker.upstreams._around.connector._loop = Patched(loop, failing)  # type: ignore[assignment]
        for _ in range(7):
            recorder = await asker.ask(request_to(endpoint))
            assert isinstance(recorder.error, Overloaded)


async def test_e2_retries_are_at_most_a_fifth_of_the_active_requests():
    """20 kept connections close under 20 requests, and new ones do not answer before: 4 go again."""
    together = 20
    opened, refused = asyncio.Event(), asyncio.Event()

    async def script(service: Service, peer: Peer) -> None:
        kept = len(service.peers) <= together
        service.heads.append(await peer.head())
        await (opened if kept else refused).wait()
        await peer.send(OK)
        service.heads.append(await peer.head())
        while len(service.heads) < 2 * together:
            await asyncio.sleep(0.005)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, eject_after=100)) as asker:
            first = [asker.start(request_to(endpoint))[1] for _ in range(together)]
            await eventually(lambda: len(service.heads) == together)
            opened.set()
            for recorder in first:
                await recorder.ended()
            second = [asker.start(request_to(endpoint))[1] for _ in range(together)]
            await eventually(lambda: sum(recorder.over for recorder in second) == 16)
            refused.set()
            for recorder in second:
                await recorder.ended()
            assert sum(recorder.error is None for recorder in second) == 4
            assert asker.stats().totals.retried == 4


async def statuses(asker: Asker, endpoint, count: int) -> list[int]:
    recorders = [await asker.ask(request_to(endpoint)) for _ in range(count)]
    return [recorder.error.status if recorder.error else recorder.head.status for recorder in recorders]  # type: ignore[union-attr]


async def test_e3_five_failures_in_a_row_eject_the_endpoint():
    endpoint = endpoint_at(free_port())
    async with asking(registry_of(endpoint)) as asker:
        assert await statuses(asker, endpoint, 7) == [502] * 5 + [503] * 2
        recorder = await asker.ask(request_to(endpoint))
        assert isinstance(recorder.error, Ejected)
        assert recorder.error.cloud == "cloud-1"
        assert 29 <= int(recorder.error.fields["Retry-After"]) <= 30
        assert 29 <= asker.stats().ejected_for <= 30


async def test_e3_half_open_lets_one_probe_through_and_its_success_opens():
    gate = asyncio.Event()
    port = free_port()
    endpoint = endpoint_at(port)

    async def script(service: Service, peer: Peer) -> None:
        while True:
            service.heads.append(await peer.head())
            await gate.wait()
            await peer.send(OK)

    async with asking(registry_of(endpoint, eject_for=0.2)) as asker:
        assert await statuses(asker, endpoint, 6) == [502] * 5 + [503]
        service = Service(script, port=port)
        await service.begin()
        try:
            await asyncio.sleep(0.25)
            _, probe = asker.start(request_to(endpoint))
            assert await statuses(asker, endpoint, 2) == [503, 503]
            gate.set()
            assert (await probe.ended()).body == b"ok"
            assert await statuses(asker, endpoint, 3) == [200] * 3
            assert len(service.heads) == 4
        finally:
            await service.stop()


async def test_e3_a_probe_that_leaves_lets_the_next_one_go():
    endpoint = endpoint_at(free_port())
    async with asking(registry_of(endpoint, eject_for=0.1, pool=1, pool_reserved=0)) as asker:
        assert await statuses(asker, endpoint, 6) == [502] * 5 + [503]
        await asyncio.sleep(0.15)
        call, _ = asker.start(request_to(endpoint))
        assert await statuses(asker, endpoint, 1) == [503]
        call.cancel()
        assert await statuses(asker, endpoint, 2) == [502, 503]


async def test_e3_who_waits_for_an_endpoint_is_told_when_it_is_ejected():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await asyncio.sleep(0.1)
        peer.reset()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint, pool=5, pool_reserved=0)) as asker:
            recorders = [asker.start(request_to(endpoint))[1] for _ in range(20)]
            errors = [(await recorder.ended()).error for recorder in recorders]
            assert [type(error) for error in errors[:5]] == [ConnectionBroken] * 5
            assert {type(error) for error in errors[10:]} == {Ejected}
            assert len(service.peers) < 10


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", b"nonsense\r\n\r\n"]
)
async def test_e3_what_a_service_answers_ejects_nobody(answer):
    async with serving(answering(answer)) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            assert set(await statuses(asker, endpoint, 8)) <= {502, 503}
            assert len(service.heads) == 8


async def test_e3_an_answer_between_failures_starts_the_count_again():
    async def script(service: Service, peer: Peer) -> None:
        service.heads.append(await peer.head())
        if len(service.heads) % 5 == 0:
            await peer.send(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            assert await statuses(asker, endpoint, 15) == ([502] * 4 + [500]) * 3


async def test_e3_an_answer_that_breaks_off_is_an_answer():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            assert isinstance((await asker.ask(request_to(endpoint))).error, ConnectionBroken)
            await service.stop()
            assert await statuses(asker, endpoint, 6) == [502] * 5 + [503]


async def test_e4_a_dead_cloud_adds_nothing_to_the_others():
    async def never(service: Service, peer: Peer) -> None:
        await peer.rest()

    async with serving(never) as dead, serving(answering(OK)) as alive:
        bad, good = endpoint_at(dead.port, cloud="dead"), endpoint_at(alive.port, cloud="alive")
        async with asking(registry_of(bad, good)) as asker:
            stuck = [asker.start(request_to(bad))[1] for _ in range(500)]
            began = asyncio.get_running_loop().time()
            for _ in range(50):
                assert (await asker.ask(request_to(good))).body == b"ok"
            assert asyncio.get_running_loop().time() - began < 1
            assert not any(recorder.over for recorder in stuck)
