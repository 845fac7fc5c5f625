"""Connections in memory behave as TCP's do."""

from __future__ import annotations

import asyncio

import pytest

from oidproxy.trace.virtual.links import Course
from oidproxy.trace.virtual.standpoint import Standpoint
from oidproxy.trace.virtual.transport import GIVEN_UP
from tests.trace.virtual.rig import Recorded, World, virtually


def test_a_connection_takes_a_round_trip_and_each_way_its_delay():
    async def work(world: World):
        server = Recorded(world, lambda transport, data: transport.write(data.upper()))
        world.network.listen(world.there, 80, lambda: server)
        loop = Standpoint(world.network, world.here).as_loop
        transport, client = await loop.create_connection(lambda: Recorded(world), "10.0.0.2", 80)
        assert transport.get_extra_info("peername") == ("10.0.0.2", 80)
        assert server.transport.get_extra_info("peername")[0] == "10.0.0.1"
        transport.write(b"hello")
        await asyncio.sleep(1)
        return client.told, server.told

    client, server = virtually(work)
    assert server == [(0.01, "made"), (0.03, b"hello")]
    assert client == [(0.02, "made"), (0.04, b"HELLO")]


def test_a_rate_is_shared_by_the_connections_between_two_machines():
    async def work(world: World):
        server = [Recorded(world), Recorded(world)]
        waiting = iter(server)
        world.network.listen(world.there, 80, lambda: next(waiting))
        ends = [await _connected(world) for _ in server]
        for transport, _ in ends:
            transport.write(b"x" * 1000)
        await asyncio.sleep(10)
        return [told[-1][0] for told in (one.told for one in server)]

    # 1,000 bytes a second, 10 ms: the second kilobyte waits for the first.
    first, second = virtually(work, Course(0.01, 1000.0))
    assert second - first == pytest.approx(1.0)


def test_a_reader_that_pauses_holds_its_sender_and_loses_nothing():
    async def work(world: World):
        server = Recorded(world)
        world.network.listen(world.there, 80, lambda: server)
        transport, client = await _connected(world)
        server.transport.pause_reading()
        sent = 0
        while "pause" not in dict(client.told).values() and sent < 1 << 28:
            transport.write(b"y" * 65536)
            sent += 65536
        await asyncio.sleep(1)
        assert sent < 1 << 28
        assert not any(isinstance(what, bytes) for _, what in server.told)
        assert transport.get_write_buffer_size() > 0
        server.transport.resume_reading()
        await asyncio.sleep(1)
        got = sum(len(what) for _, what in server.told if isinstance(what, bytes))
        return got == sent, client.told[-1][1], transport.get_write_buffer_size()

    assert virtually(work) == (True, "resume", 0)


def test_the_end_follows_the_bytes_before_it():
    async def work(world: World):
        server = Recorded(world)
        world.network.listen(world.there, 80, lambda: server)
        transport, client = await _connected(world)
        transport.write(b"last")
        transport.close()
        await asyncio.sleep(1)
        return [what for _, what in server.told], client.told[-1][1]

    assert virtually(work) == (["made", b"last", "end", ("lost", "NoneType")], ("lost", "NoneType"))


def test_half_closed_it_still_brings_the_answer():
    class Answering(Recorded):
        def eof_received(self) -> bool:
            self.transport.write(b"all of it")
            self.transport.close()
            return True

    async def work(world: World):
        world.network.listen(world.there, 80, lambda: Answering(world))
        transport, client = await _connected(world)
        transport.write_eof()
        with pytest.raises(RuntimeError, match="write_eof"):
            transport.write(b"more")
        await asyncio.sleep(1)
        return [what for _, what in client.told]

    assert virtually(work) == ["made", b"all of it", "end", ("lost", "NoneType")]


def test_bytes_for_who_is_gone_are_answered_by_a_reset():
    class Stubborn(Recorded):
        def eof_received(self) -> bool:
            self.note("end")
            return True

    async def work(world: World):
        server, client = Recorded(world), Stubborn(world)
        world.network.listen(world.there, 80, lambda: server)
        transport, _ = await world.network.connect(world.here, "10.0.0.2", 80, lambda: client)
        server.transport.abort()
        await asyncio.sleep(1)
        transport.write(b"too late")
        await asyncio.sleep(1)
        return [what for _, what in client.told]

    assert virtually(work) == ["made", "end", ("lost", "ConnectionResetError")]


def test_where_nobody_listens_it_is_refused_a_round_trip_later():
    async def work(world: World):
        world.network.listen(world.there, 81, lambda: Recorded(world))
        with pytest.raises(ConnectionRefusedError):
            await _connected(world)
        return world.passed

    assert virtually(work) == 0.02


def test_a_machine_that_goes_down_resets_its_connections_and_refuses_others_until_it_is_back():
    async def work(world: World):
        world.network.listen(world.there, 80, lambda: Recorded(world))
        _, client = await _connected(world)
        world.network.fail(world.there, silent=False)
        await asyncio.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            await _connected(world)
        world.network.mend(world.there)
        await _connected(world)
        return client.told

    assert virtually(work)[-1] == (0.03, ("lost", "ConnectionResetError"))


def test_in_silence_nothing_is_refused_and_what_was_sent_arrives_when_it_is_over():
    async def work(world: World):
        server = Recorded(world)
        world.network.listen(world.there, 80, lambda: server)
        transport, client = await _connected(world)
        world.network.fail(world.there, silent=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await _connected(world)
        transport.write(b"one")
        transport.write(b"two")
        await asyncio.sleep(10)
        assert [what for _, what in server.told] == ["made"]
        world.network.mend(world.there)
        await asyncio.sleep(30)
        return [what for _, what in server.told], [what for _, what in client.told]

    assert virtually(work) == (["made", b"one", b"two"], ["made"])


def test_after_long_silence_a_connection_counts_as_broken():
    async def work(world: World):
        world.network.listen(world.there, 80, lambda: Recorded(world))
        transport, client = await _connected(world)
        world.network.fail(world.there, silent=True)
        transport.write(b"anybody?")
        await asyncio.sleep(2 * GIVEN_UP)
        return client.told[-1]

    when, what = virtually(work)
    assert what == ("lost", "ConnectionResetError")
    assert GIVEN_UP <= when <= GIVEN_UP + 130


def test_a_protocol_that_fails_ends_its_connection_alone(caplog):
    class Broken(Recorded):
        def data_received(self, data: bytes) -> None:
            raise ValueError("a bug")

    async def work(world: World):
        world.network.listen(world.there, 80, lambda: Broken(world))
        transport, client = await _connected(world)
        transport.write(b"x")
        await asyncio.sleep(1)
        return client.told[-1][1]

    assert virtually(work) == ("lost", "NoneType")
    assert "a protocol failed" in caplog.text


async def _connected(world: World) -> tuple[asyncio.Transport, Recorded]:
    transport, protocol = await world.network.connect(world.here, "10.0.0.2", 80, lambda: Recorded(world))
    return transport, protocol
