"""What the parent keeps in step: reloads, workers that come and go meanwhile, counters of the ended."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from oidproxy.clouds.loading.load import load
from oidproxy.errors import ConfigError
from oidproxy.proxy import parent as module
from oidproxy.proxy.channel import Reloaded
from oidproxy.proxy.parent import Options, Parent
from oidproxy.store.preparing import prepare
from tests.wire.rig import configuration, eventually, loopback
from tests.wire.served import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(autouse=True)
def _only_told_reloads(monkeypatch):
    monkeypatch.setattr(module, "WATCH_SECONDS", 3600.0)


@asynccontextmanager
async def running(tmp_path, workers: int = 1) -> AsyncIterator[tuple[Parent, str]]:
    address = loopback()
    config = tmp_path / "oidproxy.yaml"
    config.write_text(configuration(address, 8888, loopback()))
    state = tmp_path / "state.db"
    prepare(state)
    options = Options(config, workers, str(tmp_path / "access.jsonl"))
    parent = Parent(options, load(config), state, lambda _: None)
    task = asyncio.create_task(parent.run())
    try:
        await eventually(parent.ready, 20)
        yield parent, address
    finally:
        await parent.drain()
        assert await asyncio.wait_for(task, 20) == 0


async def knows_cloud_2(address: str) -> bool:
    async with connect(address, 8888) as peer:
        await peer.send(b"GET /s/image:cloud-2/image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        return not (await peer.head()).startswith(b"HTTP/1.1 400 ")


def rename_cloud(tmp_path) -> None:
    config = tmp_path / "oidproxy.yaml"
    config.write_text(config.read_text().replace("cloud-1:", "cloud-2:"))


def worker_of(parent: Parent) -> psutil.Process:
    (hand,) = parent._hands.values()
    return psutil.Process(hand.process.pid)


async def test_a_late_acknowledgement_of_one_reload_is_none_of_the_next(tmp_path, monkeypatch):
    async with running(tmp_path) as (parent, address):
        (hand,) = parent._hands.values()
        hand.acknowledged.put_nowait(Reloaded(1, "from long ago"))
        await parent.reload()
        monkeypatch.setattr(module, "ACKNOWLEDGE_SECONDS", 0.5)
        worker_of(parent).suspend()
        with pytest.raises(ConfigError, match="in time"):
            await parent.reload()
        worker_of(parent).resume()
        monkeypatch.setattr(module, "ACKNOWLEDGE_SECONDS", 10)
        rename_cloud(tmp_path)
        await parent.reload()
        assert await knows_cloud_2(address)


async def test_what_one_worker_did_not_take_no_other_goes_on_to_serve(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ACKNOWLEDGE_SECONDS", 1.0)
    async with running(tmp_path, workers=2) as (parent, address):
        stopped = psutil.Process(parent._hands[0].process.pid)
        stopped.suspend()
        rename_cloud(tmp_path)
        with pytest.raises(ConfigError, match="in time"):
            await parent.reload()
        stopped.resume()
        await asyncio.sleep(0.5)
        assert not any([await knows_cloud_2(address) for _ in range(12)])


async def test_a_worker_that_dies_in_a_reload_does_not_fail_it_and_its_successor_serves_it(tmp_path):
    async with running(tmp_path) as (parent, address):
        worker = worker_of(parent)
        worker.suspend()
        rename_cloud(tmp_path)
        reloading = asyncio.create_task(parent.reload())
        await asyncio.sleep(0.5)
        os.kill(worker.pid, signal.SIGKILL)
        await asyncio.wait_for(reloading, 5)
        await eventually(parent.ready, 20)
        assert await knows_cloud_2(address)


async def test_a_worker_that_begins_in_a_reload_serves_it_too(tmp_path, monkeypatch):
    async with running(tmp_path, workers=2) as (parent, address):
        stopped = psutil.Process(parent._hands[0].process.pid)
        stopped.suspend()
        rename_cloud(tmp_path)
        reloading = asyncio.create_task(parent.reload())
        await asyncio.sleep(0.3)
        os.kill(parent._hands[1].process.pid, signal.SIGKILL)
        await eventually(lambda: not parent.ready(), 5)
        await eventually(parent.ready, 20)
        stopped.resume()
        await asyncio.wait_for(reloading, 20)
        await asyncio.sleep(0.5)
        assert all([await knows_cloud_2(address) for _ in range(12)])


async def test_gauges_of_a_worker_that_ended_are_forgotten_and_its_counters_are_not(tmp_path):
    async with running(tmp_path) as (parent, address):
        async with connect(address, 8888) as peer:
            await peer.send(b"GET /healthcheck HTTP/1.1\r\nHost: p\r\n\r\n")
            await peer.head()
            await eventually(lambda: parent.counted().get("oidproxy_connections") == {(): 1})
            os.kill(worker_of(parent).pid, signal.SIGKILL)
            await eventually(lambda: not parent.ready())
        await eventually(lambda: parent.ready() and "oidproxy_connections" in parent.counted(), 20)
        assert parent.counted()["oidproxy_connections"] == {(): 0}
        assert sum(parent.counted()["oidproxy_requests_total"].values()) == 1


async def test_an_access_log_that_cannot_be_written_is_said_and_ends_it(tmp_path):
    said: list[str] = []
    config = tmp_path / "oidproxy.yaml"
    config.write_text(configuration(loopback(), 8888, loopback()))
    options = Options(config, 1, str(tmp_path / "nowhere" / "access.jsonl"))
    state = tmp_path / "state.db"
    prepare(state)
    assert await asyncio.wait_for(Parent(options, load(config), state, said.append).run(), 20) == 2
    assert "access log" in said[0]
    assert "No such file" in said[0]


async def test_a_stop_while_workers_are_being_started_is_soon_over(tmp_path):
    config = tmp_path / "oidproxy.yaml"
    config.write_text(configuration(loopback(), 8888, loopback()))
    prepare(tmp_path / "state.db")
    parent = Parent(Options(config, 2, ""), load(config), tmp_path / "state.db", lambda _: None)
    running = asyncio.create_task(parent.run())
    await asyncio.sleep(0)
    await parent.drain()
    assert await asyncio.wait_for(running, 15) == 0


def test_a_thousand_listeners_are_not_told_one_by_one(tmp_path):
    places = "\n".join(f'  - {{bind: "127.0.9.{number}:8888"}}' for number in range(1, 31))
    path = tmp_path / "oidproxy.yaml"
    path.write_text(f"listeners:\n{places}\nclouds: {{a: {{upstream: 127.0.0.9}}}}\n")
    told = module._places(load(path))
    assert told.startswith("127.0.9.1:8888, 127.0.9.2:8888, ")
    assert told.endswith("127.0.9.8:8888 and 22 more")
