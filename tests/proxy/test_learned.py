"""What one worker saw created is known to all, by way of the parent and the store, in a file and in Redis."""

from __future__ import annotations

import asyncio

import pytest

from oidproxy.clouds.loading.load import load
from oidproxy.manyclouds.locations import key_of
from oidproxy.proxy import parent as module
from oidproxy.proxy.parent import Options, Parent
from oidproxy.store.opening import open_index
from oidproxy.store.preparing import prepare
from tests.store.server import serving
from tests.wire.rig import Upstream, answering, configuration, eventually, loopback
from tests.wire.served import connect

IMAGE = "7d1f4a3d-2e7b-4c1a-9d6e-8f5c2b1a0d3e"
MADE = f"HTTP/1.1 201 Created\r\nLocation: /v2/images/{IMAGE}\r\nContent-Length: 2\r\n\r\n{{}}".encode()


@pytest.fixture(params=["sqlite", "redis"])
def where(request, tmp_path):
    if request.param == "sqlite":
        prepare(tmp_path / "state.db")
        yield str(tmp_path / "state.db")
        return
    with serving() as server:
        yield server.url


async def test_what_was_created_is_in_the_index_soon_and_at_the_end_at_the_latest(
    tmp_path, where, monkeypatch
):
    monkeypatch.setattr(module, "WATCH_SECONDS", 3600.0)
    address, up = loopback(), loopback()
    upstream = Upstream(up, 9292, handler=None)  # type: ignore[arg-type]
    upstream.handler = answering(MADE)(upstream)
    await upstream.start(None)
    config = tmp_path / "oidproxy.yaml"
    config.write_text(configuration(address, 8888, up))
    parent = Parent(Options(config, 2, ""), load(config), where, lambda _: None)
    running = asyncio.create_task(parent.run())
    index = open_index(where, at_most=1000)
    try:
        await eventually(parent.ready, 20)
        async with connect(address, 8888) as peer:
            await peer.send(b"POST /image/v2/images HTTP/1.1\r\nHost: p\r\nContent-Length: 2\r\n\r\n{}")
            assert (await peer.head()).startswith(b"HTTP/1.1 201 ")
        key = key_of("image", IMAGE.encode())
        async with asyncio.timeout(10):
            while await index.clouds(key) != ("cloud-1",):
                await asyncio.sleep(0.05)
    finally:
        await parent.drain()
        assert await asyncio.wait_for(running, 20) == 0
        await index.close()
        await upstream.stop()
