"""Part F of the gateway checklist: start, reload, workers, drain, as an operator sees them."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.wire.rig import OK, Upstream, answering, configuration, loopback
from tests.wire.served import connect, served

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def place(tmp_path):
    """An upstream that answers, and a configuration for a gateway in front of it."""
    address, up = loopback(), loopback()
    upstream = Upstream(up, 9292, handler=None)
    upstream.handler = answering(OK)(upstream)
    await upstream.start()
    config = tmp_path / "oidproxy.yaml"
    config.write_text(configuration(address, 8888, up))
    yield address, upstream, config
    await upstream.stop()


async def status(address: str, target: bytes = b"/image/v2") -> bytes:
    async with connect(address, 8888) as peer:
        await peer.send(b"GET " + target + b" HTTP/1.1\r\nHost: p\r\n\r\n")
        return (await peer.head()).partition(b"\r\n")[0]


def rename_cloud(config: Path) -> None:
    config.write_text(config.read_text().replace("cloud-1:", "cloud-2:"))


async def test_it_says_where_it_listens_and_serves(place):
    address, _, config = place
    async with served(config, "--workers", "2") as running:
        assert f"{address}:8888" in await running.hears("listening")
        assert await status(address) == b"HTTP/1.1 200 OK"
        running.signal(signal.SIGTERM)
        assert await running.ended() == 0


async def test_f1_what_is_under_way_at_sigterm_is_finished_and_said_to_be_the_last(place):
    address, upstream, config = place
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def handle(peer) -> None:
        await peer.head()
        asked.set()
        await go_on.wait()
        await peer.send(OK)

    upstream.handler = handle
    async with served(config) as running, AsyncExitStack() as stack:
        await running.hears("listening")
        peer = await stack.enter_async_context(connect(address, 8888))
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        await asked.wait()
        running.signal(signal.SIGTERM)
        await asyncio.sleep(1.0)
        go_on.set()
        head = await peer.head()
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"onnection: close" in head
        assert await peer.rest() == b"ok"
        assert await running.ended() == 0


async def test_f1_an_idle_connection_is_still_served_in_the_grace_and_then_closed(place):
    address, _, config = place
    config.write_text(config.read_text() + "limits: {drain_grace: 2s}\n")
    async with served(config) as running, AsyncExitStack() as stack:
        await running.hears("listening")
        busy, idle = [await stack.enter_async_context(connect(address, 8888)) for _ in range(2)]
        await busy.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        await busy.head()
        await busy.exactly(2)
        running.signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        await busy.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        assert b"onnection: close" in await busy.head()
        assert await idle.rest() == b""
        assert await running.ended() == 0


@pytest.mark.parametrize(("part", "pause"), [(0, 0.3), (20, 0.7)], ids=["connected only", "half a head"])
async def test_f1_a_request_that_comes_bit_by_bit_around_the_end_of_the_grace_is_served(place, part, pause):
    address, _, config = place
    request = b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n"
    async with served(config) as running, AsyncExitStack() as stack:
        await running.hears("listening")
        running.signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        peer = await stack.enter_async_context(connect(address, 8888))
        await peer.send(request[:part])
        await asyncio.sleep(pause)
        await peer.send(request[part:])
        head = await peer.head()
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"onnection: close" in head
        assert await running.ended(5) == 0


async def test_f1_a_connection_whose_answer_began_before_the_drain_does_not_keep_it_waiting(place):
    address, upstream, config = place
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def handle(peer) -> None:
        await peer.head()
        await peer.send(OK[:-1])
        asked.set()
        await go_on.wait()
        await peer.send(OK[-1:])

    upstream.handler = handle
    async with served(config) as running, AsyncExitStack() as stack:
        await running.hears("listening")
        peer = await stack.enter_async_context(connect(address, 8888))
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        assert b"onnection: close" not in await peer.head()
        running.signal(signal.SIGTERM)
        await asyncio.sleep(0.8)
        go_on.set()
        assert await peer.rest() == b"ok"
        assert await running.ended(5) == 0


async def test_a_worker_may_have_as_many_connections_as_the_system_lets_it(place):
    address, _, config = place
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    try:
        async with served(config) as running:
            await running.hears("listening")
            (worker,) = psutil.Process(running.process.pid).children()
            assert worker.rlimit(psutil.RLIMIT_NOFILE)[0] == hard
            assert await status(address) == b"HTTP/1.1 200 OK"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("told", ["signal", "file"])
async def test_f2_a_changed_file_is_served_from_the_next_request_on(place, told):
    address, _, config = place
    async with served(config, "--workers", "2") as running, AsyncExitStack() as stack:
        await running.hears("listening")
        kept = await stack.enter_async_context(connect(address, 8888))
        await kept.send(b"GET /s/image:cloud-2/image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        assert (await kept.head()).startswith(b"HTTP/1.1 400 ")
        await kept.until(b"}}")
        rename_cloud(config)
        if told == "signal":
            running.signal(signal.SIGHUP)
        await running.hears("reloaded")
        await kept.send(b"GET /s/image:cloud-2/image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        assert (await kept.head()).startswith(b"HTTP/1.1 200 ")


async def test_f2_a_reload_begins_the_access_log_anew(place, tmp_path):
    address, _, config = place
    log, moved = tmp_path / "access.jsonl", tmp_path / "access.jsonl.1"
    async with served(config, "--access-log", str(log)) as running:
        await running.hears("listening")
        await status(address, b"/image/before")
        log.rename(moved)
        running.signal(signal.SIGHUP)
        await running.hears("reloaded")
        await status(address, b"/image/after")
        running.signal(signal.SIGTERM)
        assert await running.ended() == 0
    assert "/image/before" in moved.read_text()
    assert "/image/after" in log.read_text()
    assert "/image/after" not in moved.read_text()


async def test_f2_one_change_told_twice_is_one_reload(place):
    _, _, config = place
    async with served(config) as running:
        await running.hears("listening")
        rename_cloud(config)
        running.signal(signal.SIGHUP)
        await running.hears("reloaded")
        await asyncio.sleep(2.5)
        assert len([line for line in running.said if "reloaded" in line]) == 1


async def test_f2_an_admin_listener_that_changed_is_said_to_wait(place):
    _, _, config = place
    async with served(config) as running:
        await running.hears("listening")
        config.write_text(config.read_text() + f'admin: {{bind: "{loopback()}:8889"}}\n')
        running.signal(signal.SIGHUP)
        await running.hears("admin listener stays")
        await running.hears("reloaded")


async def test_f2_a_bad_file_changes_nothing_and_says_where(place):
    address, _, config = place
    async with served(config) as running:
        await running.hears("listening")
        config.write_text(config.read_text().replace("auth_url", "auth_ulr"))
        running.signal(signal.SIGHUP)
        line = await running.hears("not reloaded")
        assert f"{config}:6:" in line
        assert "auth_url" in line
        assert await status(address) == b"HTTP/1.1 200 OK"


async def test_f3_a_worker_that_dies_is_replaced(place):
    address, _, config = place
    async with served(config) as running:
        await running.hears("listening")
        (worker,) = psutil.Process(running.process.pid).children()
        os.kill(worker.pid, signal.SIGKILL)
        await running.hears("ended by itself")
        async with asyncio.timeout(20):
            while True:
                with suppress(OSError, asyncio.IncompleteReadError):
                    assert await status(address) == b"HTTP/1.1 200 OK"
                    break
                await asyncio.sleep(0.1)


async def test_f4_a_bad_configuration_is_exit_2_with_its_place(place):
    _, _, config = place
    config.write_text(config.read_text().replace("auth_url", "auth_ulr"))
    async with served(config) as running:
        assert await running.ended() == 2
        await asyncio.sleep(0.1)
        assert any(f"{config}:6:" in line for line in running.said)


async def test_an_address_that_is_taken_is_said_and_exit_2(place):
    address, _, config = place
    with socket.create_server((address, 8888)):
        async with served(config) as running:
            assert await running.ended() == 2
        await asyncio.sleep(0.1)
        assert any("cannot listen" in line for line in running.said)


async def test_no_worker_outlives_its_parent(place):
    _, _, config = place
    async with served(config) as running:
        await running.hears("listening")
        workers = psutil.Process(running.process.pid).children()
        running.process.kill()
        await running.ended()
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 10)
        assert alive == []
