"""Bodies of 1 GiB pass with flow control: whichever side is slow holds the other, nothing piles up here."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress

import psutil
import pytest

from tests.wire.rig import OK, Peer, Upstream, configuration, loopback
from tests.wire.served import connect, served

GIB = 1 << 30
PIECE = 256 * 1024
BLOCK = bytes(PIECE)
SLOW_FOR = 20.0
SLOW_RATE = 1 << 20
MOST_RSS = 80 << 20

DOWN = b"GET /v2/images/1/file "
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % GIB


class Pace:
    """1 MiB/s for the first 20 s, then as fast as it goes; `None` time to wait when not slow at all."""

    def __init__(self, *, slow: bool) -> None:
        self._slow = slow
        self._began = time.monotonic()
        self._passed = 0

    async def passed(self, size: int) -> None:
        self._passed += size
        if not self._slow:
            return
        elapsed = time.monotonic() - self._began
        if elapsed < SLOW_FOR:
            await asyncio.sleep(max(0.0, min(self._passed / SLOW_RATE, SLOW_FOR) - elapsed))


async def pour(peer: Peer, *, slow: bool) -> None:
    pace, left = Pace(slow=slow), GIB
    while left:
        peer.writer.write(BLOCK)
        await peer.writer.drain()
        left -= PIECE
        await pace.passed(PIECE)


async def swallow(peer: Peer, *, slow: bool) -> int:
    pace, got = Pace(slow=slow), 0
    while got < GIB:
        data = await asyncio.wait_for(peer.reader.read(PIECE), 60)
        if not data:
            break
        got += len(data)
        await pace.passed(len(data))
    return got


class Watch:
    """The highest resident size of each of the proxy's processes, looked at every 100 ms."""

    def __init__(self, pid: int) -> None:
        parent = psutil.Process(pid)
        self._processes = [parent, *parent.children()]
        self.highest = dict.fromkeys((process.pid for process in self._processes), 0)

    async def run(self) -> None:
        while True:
            for process in self._processes:
                with suppress(psutil.NoSuchProcess):
                    self.highest[process.pid] = max(self.highest[process.pid], process.memory_info().rss)
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("slow_side", ["receiver", "sender"])
async def test_a_gibibyte_up_and_down_at_once_leaves_the_proxy_small(tmp_path, slow_side):
    address, up = loopback(), loopback()
    slow_sender, slow_receiver = slow_side == "sender", slow_side == "receiver"
    uploaded: list[int] = []

    async def handle(peer: Peer) -> None:
        head = await peer.head()
        if head.startswith(DOWN):
            await peer.send(HEAD)
            await pour(peer, slow=slow_sender)
        else:
            uploaded.append(await swallow(peer, slow=slow_receiver))
            await peer.send(OK)

    upstream = Upstream(up, 9292, handler=handle, buffer=PIECE)
    await upstream.start()
    config = tmp_path / "oidproxy.yaml"
    config.write_text(configuration(address, 8888, up))
    try:
        async with served(config) as running, AsyncExitStack() as stack:
            await running.hears("listening")
            uploading, downloading = [
                await stack.enter_async_context(connect(address, 8888, PIECE)) for _ in range(2)
            ]
            watch = Watch(running.process.pid)
            watching = asyncio.create_task(watch.run())
            sent, got = await asyncio.gather(
                upload(uploading, slow=slow_sender), download(downloading, slow=slow_receiver)
            )
            watching.cancel()
            assert sent.startswith(b"HTTP/1.1 200 ")
            assert uploaded == [GIB]
            assert got == GIB
            assert len(watch.highest) == 2
            assert max(watch.highest.values()) < MOST_RSS, watch.highest
    finally:
        await upstream.stop()


async def upload(peer: Peer, *, slow: bool) -> bytes:
    await peer.send(
        b"PUT /image/v2/images/1/file HTTP/1.1\r\nHost: p\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Length: %d\r\n\r\n" % GIB
    )
    await pour(peer, slow=slow)
    peer.patience = 60
    return await peer.head()


async def download(peer: Peer, *, slow: bool) -> int:
    await peer.send(b"GET /image/v2/images/1/file HTTP/1.1\r\nHost: p\r\n\r\n")
    assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
    return await swallow(peer, slow=slow)
