"""Recordings begin and end in all workers at once, and whoever cannot takes none of the others along."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from oidproxy.clouds.loading.load import load
from oidproxy.clouds.registry import Record
from oidproxy.errors import TraceInvalid
from oidproxy.proxy import recordings as module
from oidproxy.proxy.parent import Options, Parent
from oidproxy.proxy.recordings import Recordings
from oidproxy.store.preparing import prepare
from oidproxy.trace.reading import open_trace
from tests.wire.rig import configuration, eventually, loopback
from tests.wire.served import connect, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def running(tmp_path, *, workers=2, record="", folder=None) -> AsyncIterator[tuple[Parent, str]]:
    address = loopback()
    config = tmp_path / "oidproxy.yaml"
    config.write_text(configuration(address, 8888, loopback(), record))
    state = tmp_path / "state.db"
    prepare(state)
    options = Options(config, workers, str(tmp_path / "access.jsonl"), folder)
    parent = Parent(options, load(config), state, lambda _: None)
    parent.recordings.open()
    task = asyncio.create_task(parent.run())
    try:
        await eventually(parent.ready, 30)
        yield parent, address
    finally:
        await parent.drain()
        assert await asyncio.wait_for(task, 30) == 0


async def ask(address: str, times: int = 12) -> None:
    """Requests on connections of their own, so that every worker gets some."""
    for _ in range(times):
        async with connect(address, 8888) as peer:
            await peer.send(b"GET /healthcheck HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n")
            await peer.rest()


def recorded(folder) -> int:
    return len(list(open_trace(folder).lines()))


async def test_it_is_switched_on_and_off_while_requests_are_served(tmp_path):
    traces = tmp_path / "traces"
    async with running(tmp_path, record=f"record: {{folder: {traces}}}\n") as (parent, address):
        assert parent.recordings.state()["recording"] is None
        await ask(address)
        said = await parent.recordings.begin()
        [first] = traces.iterdir()
        assert said == f"recording into {first}"
        await ask(address)
        await eventually(lambda: parent.recordings.state()["recorded"] == 12, 30)
        with pytest.raises(TraceInvalid, match=f"{first.name} is being recorded already"):
            await parent.recordings.begin()
        assert await parent.recordings.end() == f"recorded into {first}"
        await ask(address)
        assert recorded(first) == 12
        assert {path.name.split("-")[1] for path in first.iterdir()} == {"0", "1"}
        with pytest.raises(TraceInvalid, match="nothing is being recorded"):
            await parent.recordings.end()
        await parent.recordings.begin()
        await ask(address)
    [second] = {*traces.iterdir()} - {first}
    assert (recorded(first), recorded(second)) == (12, 12)


async def test_without_a_folder_there_is_none():
    none = Recordings(lambda: None, lambda: (), dict, 1)
    with pytest.raises(TraceInvalid, match=r"record\.folder"):
        await none.begin()
    assert none.state()["folder"] is None


async def test_the_settings_of_now_count(tmp_path):
    settings = Record(str(tmp_path / "one"))
    recordings = Recordings(lambda: settings, lambda: (), dict, 1)
    await recordings.begin()
    settings = Record(str(tmp_path / "other"))
    assert recordings.of(3).folder.parent == tmp_path / "one"
    assert recordings.of(3).worker == 3
    await recordings.end()
    assert recordings.of(3) is None
    assert (await recordings.begin()).startswith(f"recording into {tmp_path / 'other'}/")


async def test_a_worker_that_is_started_again_goes_on_recording(tmp_path):
    traces = tmp_path / "traces"
    async with running(tmp_path, workers=1, folder=traces) as (parent, address):
        await ask(address, 3)
        # The file is flushed each second.
        [folder] = traces.iterdir()
        await eventually(lambda: recorded(folder) == 3, 30)
        (hand,) = parent._hands.values()
        os.kill(hand.process.pid, signal.SIGKILL)
        await eventually(lambda: not parent.ready(), 30)
        await eventually(parent.ready, 30)
        await ask(address, 4)
    assert len(list(folder.iterdir())) == 2
    assert recorded(folder) == 7


async def test_a_worker_that_does_not_say_so_ends_it_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ACKNOWLEDGE_SECONDS", 1.0)
    traces = tmp_path / "traces"
    async with running(tmp_path, record=f"record: {{folder: {traces}}}\n") as (parent, address):
        stopped = psutil.Process(parent._hands[0].process.pid)
        stopped.suspend()
        with pytest.raises(TraceInvalid, match="worker 0 did not say in time"):
            await parent.recordings.begin()
        stopped.resume()
        assert parent.recordings.state()["recording"] is None
        monkeypatch.setattr(module, "ACKNOWLEDGE_SECONDS", 30.0)
        await parent.recordings.begin()
        await ask(address)
    last = max(traces.iterdir(), key=lambda path: path.stat().st_mtime)
    assert recorded(last) == 12


async def test_a_folder_that_a_worker_cannot_write_is_told_and_serving_goes_on(tmp_path, monkeypatch):
    def gone(*arguments, **more):
        begun = begin(*arguments, **more)
        begun.folder.rmdir()
        return begun

    begin = module.recording.begin
    monkeypatch.setattr(module.recording, "begin", gone)
    async with running(tmp_path, workers=1, folder=tmp_path / "traces") as (parent, address):
        await ask(address, 2)
        await parent.recordings.end()
        with pytest.raises(TraceInvalid, match=r"cannot record into .*No such file"):
            await parent.recordings.begin()
        await ask(address, 2)


async def test_the_command_records_from_the_start(tmp_path):
    address, traces = loopback(), tmp_path / "traces"
    config = tmp_path / "oidproxy.yaml"
    config.write_text(configuration(address, 8888, loopback()))
    async with served(config, "--record", str(traces)) as command:
        await command.hears("ready")
        await ask(address, 3)
        command.signal(signal.SIGTERM)
        assert await command.ended() == 0
    assert recorded(traces) == 3


def test_a_folder_that_is_full_is_told_at_the_start(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "worker-0-00001.jsonl.zst").write_bytes(bytes(3 << 20))
    settings = Record(str(tmp_path), on=True, size=3 << 20)
    with pytest.raises(TraceInvalid, match="holds 3 MiB of the 3 MiB"):
        Recordings(lambda: settings, lambda: (), dict, 1).open()
