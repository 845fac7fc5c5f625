"""Bodies on their way to a cloud: framing, flow control both ways, early answers, askers that leave."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.errors import ConnectionBroken
from oidproxy.http.head import Chunked, Length
from oidproxy.upstream.connection import Connection
from oidproxy.upstream.exchange import Exchange
from tests.upstream.asking import Recorder, asking, endpoint_at, eventually, registry_of, request_to
from tests.upstream.service import OK, Peer, Service, serving


async def taking(service: Service, peer: Peer) -> None:
    """Records a chunked or sized body behind the head and answers."""
    head = await peer.head()
    if b"chunked" in head:
        body = await peer.until(b"0\r\n\r\n")
    else:
        size = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        body = await peer.exactly(size)
    service.heads += [head, body]
    await peer.send(OK)
    await peer.rest()


async def test_a_body_with_a_length_goes_as_it_is():
    async with serving(taking) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(11)))
            await recorder.was_told("ready")
            call.send(b"hello ")
            call.send(b"")
            call.send(b"world")
            call.finish()
            assert (await recorder.ended()).body == b"ok"
            assert service.heads[1] == b"hello world"
            assert asker.stats().idle == 1


@pytest.mark.parametrize("piece", [b"hello ", b"x" * 100_000])
async def test_a_chunked_body_is_framed_here(piece):
    async with serving(taking) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Chunked()))
            await recorder.was_told("ready")
            call.send(piece)
            call.send(b"world")
            call.finish()
            await recorder.ended()
            assert service.heads[1] == b"%x\r\n%b\r\n5\r\nworld\r\n0\r\n\r\n" % (len(piece), piece)
            assert asker.stats().idle == 1


@pytest.mark.parametrize("framing", [Length(0), Chunked()])
async def test_an_empty_body_is_complete_without_any_byte(framing):
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        if isinstance(framing, Chunked):
            await peer.until(b"0\r\n\r\n")
        await peer.send(OK)
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "POST", framing))
            await recorder.was_told("ready")
            call.finish()
            assert (await recorder.ended()).told[-1] == "end"


async def test_a_body_that_disagrees_with_its_length_is_never_sent():
    async with serving(taking) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(5)))
            await recorder.was_told("ready")
            with pytest.raises(ValueError, match="more body bytes"):
                call.send(b"123456")
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(5)))
            await recorder.was_told("ready")
            call.send(b"1234")
            with pytest.raises(ValueError, match="fewer body bytes"):
                call.finish()


async def test_a8_an_asker_that_cancels_a_short_body_aborts_the_request():
    ended = []

    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        ended.append(await peer.rest())

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Chunked()))
            await recorder.was_told("ready")
            call.send(b"abc")
            await asyncio.sleep(0.05)
            call.cancel()
            await eventually(lambda: ended)
            assert ended == [b"3\r\nabc\r\n"]
            assert asker.stats().busy == 0


async def test_d6_a_cloud_that_does_not_read_makes_the_asker_hold():
    resume = asyncio.Event()
    size = 32 << 20

    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.pause_reading()
        await resume.wait()
        peer.writer.transport.resume_reading()
        left = size
        while left:
            left -= len(await peer.reader.read(left))
        await peer.send(OK)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(size)))
            await recorder.was_told("ready")
            sent = 0
            while recorder.told[-1] != "hold":
                call.send(b"x" * 65536)
                sent += 65536
                await asyncio.sleep(0)
            assert sent < size, "the cloud read nothing, and nobody was held"
            resume.set()
            while sent < size:
                await eventually(lambda: recorder.told[-1] == "ready")
                call.send(b"x" * 65536)
                sent += 65536
            call.finish()
            assert (await recorder.ended()).body == b"ok"


async def test_d6_an_asker_that_pauses_makes_the_cloud_wait():
    size = 64 << 20
    written = []

    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            await peer.send(b"x" * 65536)
            written.append(65536)
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint))
            got = 0

            def count(data: bytes) -> None:
                nonlocal got
                got += len(data)
                recorder.body = b""

            recorder.on_data = count
            recorder.on_answer = call.pause
            await recorder.was_told("answer")
            await asyncio.sleep(0.2)
            assert got <= 65536
            assert sum(written) < size, "the whole answer went nowhere"
            call.resume()
            call.resume()
            await recorder.ended(20)
            assert got == size
            assert asker.stats().idle == 1


async def test_a_connection_whose_reading_was_paused_serves_the_next_call():
    async def script(service: Service, peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(OK)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint))
            recorder.on_data = lambda _: call.pause()
            assert (await recorder.ended()).body == b"ok"
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert len(service.peers) == 1


@pytest.mark.parametrize("closes", [True, False])
async def test_e6_an_early_answer_is_relayed_at_once_and_its_connection_destroyed(closes):
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.exactly(5)
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        if not closes:
            service.heads.append(await peer.rest())

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(1 << 30)))
            await recorder.was_told("ready")
            call.send(b"hello")
            await recorder.ended()
            assert recorder.told == ["ready", "answer", "data", "end"]
            assert recorder.head is not None
            assert recorder.head.status == 413
            assert asker.stats().idle == 0
            call.send(b"ignored")
            call.finish()


class Refusing:
    """A service in a thread: reads a little of an upload, answers and closes; its kernel sends a reset."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        connection.recv(100_000)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        connection.close()
        self.closed.set()

    def stop(self) -> None:
        self._listener.close()
        self._thread.join()


async def test_e6_an_early_answer_is_not_lost_in_an_upload_at_full_speed():
    """The answer and the reset behind it come while the loop is busy with the asker's next pieces."""
    service = Refusing()
    endpoint = endpoint_at(service.port)
    async with asking(registry_of(endpoint)) as asker:
        call, recorder = asker.start(request_to(endpoint, "PUT", Length(1 << 30)))
        await recorder.was_told("ready")
        call.send(b"x" * 200_000)
        await asyncio.sleep(0)
        service.closed.wait(5)
        time.sleep(0.01)  # noqa: ASYNC251 - the loop must not see the answer before it is given more
        for _ in range(3):
            call.send(b"x" * 200_000)
        await recorder.ended()
        service.stop()
        assert recorder.told[-3:] == ["answer", "data", "end"], recorder.error
        assert recorder.head is not None
        assert recorder.head.status == 401


class Told:
    """A transport that writes down, and a poll that says what it is told to say."""

    def __init__(self, *readable: bool) -> None:
        self.written: list[bytes] = []
        self._readable = list(readable)

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.written += parts

    def is_closing(self) -> bool:
        return False

    def poll(self, timeout: int) -> list[int]:
        return [1] if self._readable.pop(0) else []


async def test_e6_pieces_that_were_held_back_go_before_later_ones():
    loop = asyncio.get_running_loop()
    connection = Connection(SimpleNamespace(loop=loop, limits=Limits()), "127.0.0.1", memoryview(b""))  # type: ignore[arg-type]
    told = Told(True, False, False)
    connection._transport = connection._poll = told  # type: ignore[assignment]
    connection.exchange = object()  # type: ignore[assignment]
    connection.write_body((b"first",))
    connection.write_body((b"second", b"third"))
    assert told.written == [b"first"]
    connection.write_body((b"fourth",))
    for _ in range(3):
        await asyncio.sleep(0)
    connection.write_body((b"fifth",))
    assert told.written == [b"first", b"second", b"third", b"fourth", b"fifth"]


async def test_e6_a_service_that_says_yes_early_gets_the_rest_of_the_body():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.exactly(5)
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n")
        service.heads.append(await peer.exactly(5))
        await peer.send(b"4\r\ndone\r\n0\r\n\r\n")
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(10)))
            await recorder.was_told("ready")
            call.send(b"hello")
            await recorder.was_told("data")
            call.send(b"world")
            call.finish()
            assert (await recorder.ended()).body == b" done"
            assert service.heads == [b"world"]
            assert asker.stats().idle == 1


async def test_an_upload_that_the_cloud_breaks_off_fails():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.exactly(10)
        peer.reset()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Chunked()))
            await recorder.was_told("ready")
            while not recorder.over:
                call.send(b"x" * 1000)
                await asyncio.sleep(0.001)
            assert isinstance(recorder.error, ConnectionBroken)
            assert recorder.error.sent


@pytest.mark.parametrize("moment", ["waiting", "answering", "connecting"])
async def test_e7_an_asker_that_leaves_closes_the_connection_at_once(moment):
    closed = asyncio.Event()

    async def script(service: Service, peer: Peer) -> None:
        service.heads.append(await peer.head())
        if moment == "answering":
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await peer.rest()
        closed.set()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint))
            if moment == "waiting":
                await eventually(lambda: service.heads)
            elif moment == "answering":
                await recorder.was_told("data")
            told = list(recorder.told)
            call.cancel()
            call.cancel()
            assert asker.stats().busy == 0
            if moment != "connecting":
                async with asyncio.timeout(0.1):
                    await closed.wait()
            await asyncio.sleep(0.05)
            assert recorder.told == told
            assert asker.stats().idle == 0
            assert len(asker.upstreams.stats()) == 1


async def test_e7_an_asker_may_leave_while_it_is_told_of_the_answer():
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.rest()

    for moment in ("on_answer", "on_data"):
        async with serving(script) as service:
            endpoint = endpoint_at(service.port)
            async with asking(registry_of(endpoint)) as asker:
                call, recorder = asker.start(request_to(endpoint))
                if moment == "on_answer":
                    recorder.on_answer = call.cancel
                else:
                    recorder.on_data = lambda _, call=call: call.cancel()
                await recorder.was_told("answer")
                await asyncio.sleep(0.02)
                assert recorder.told[-1] == ("answer" if moment == "on_answer" else "data")
                assert (asker.stats().busy, asker.stats().idle) == (0, 0)


async def test_calls_that_ended_take_no_more_orders():
    async def script(service: Service, peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(OK)

    async with serving(script) as service:
        endpoint = endpoint_at(service.port)
        async with asking(registry_of(endpoint)) as asker:
            call, recorder = asker.start(request_to(endpoint))
            await recorder.ended()
            call.send(b"x")
            call.finish()
            call.pause()
            call.resume()
            call.cancel()
            assert asker.stats().idle == 1
            assert isinstance(await asker.ask(request_to(endpoint)), Recorder)
            assert len(service.peers) == 1


async def test_an_asker_that_leaves_while_its_head_is_sent_takes_the_connection_along():
    recorder, done = Recorder(), []
    carrier = SimpleNamespace(writing_held=True, abort=lambda: done.append("abort"))
    exchange = Exchange(request_to(endpoint_at(1)), recorder, on_answer=print, on_cancel=print)
    exchange.over = True
    exchange.attach(carrier)
    assert done == ["abort"]
    assert exchange.connection is None
    assert recorder.told == []
