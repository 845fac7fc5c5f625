"""Several processes send what one would: the same requests, each once, their outcomes added up."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from oidproxy.trace.reading import open_trace
from oidproxy.trace.replaying.replay import Replay
from oidproxy.trace.replaying.workers import run_with_workers
from tests.trace.lines import line, numbered, uuid, write
from tests.trace.replaying.cloud import FakeCloud
from tests.trace.replaying.rig import settings


@pytest.fixture
def cloud():
    """In a thread of its own: the replay's processes are led from this one."""
    found, loop, up = FakeCloud(), asyncio.new_event_loop(), threading.Event()
    down = asyncio.Event()

    async def serve():
        async with found.running():
            up.set()
            await down.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    up.wait(10)
    yield found
    loop.call_soon_threadsafe(down.set)
    thread.join(10)
    loop.close()


def trace(folder):
    lines = []
    for user in range(6):
        body = {"server": {"name": f"s{user}"}}
        made = {"made": [uuid(user)], "used": [], "user": f"u{user}"}
        lines.append(line("POST", "/v2.1/servers", status=202, request_body=body, **made))
        shown = {"used": [uuid(user)], "user": f"u{user}", "template": "/v2.1/servers/{server_id}"}
        lines.append(line(path=f"/v2.1/servers/{uuid(user)}", **shown))
    lines.append(line("DELETE", f"/v2.1/servers/{uuid(99)}", user="u0", used=[uuid(99)], status=204))
    return open_trace(write(folder / "t.jsonl", numbered(lines)))


def counted(outcomes):
    return Counter((one.n, one.status, one.recorded_status, bool(one.unmatched)) for one in outcomes)


def test_two_workers_count_what_one_does(cloud, tmp_path):
    found = trace(tmp_path)
    alone, together = [], []
    assert Replay(settings(cloud), found).run(alone.append, lambda _: None)
    asked = len(cloud.asked)
    replay = Replay(settings(cloud), found)
    assert run_with_workers(replay, together.append, lambda _: None, 2, None)
    assert counted(together) == counted(alone)
    assert len(together) == 13
    assert len(cloud.asked) == 2 * asked
    # Each part learned its own ids; together they are all that one would have.
    assert set(replay.remappings[0].learned) == {uuid(n) for n in range(6)}
