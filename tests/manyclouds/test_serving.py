"""The whole proxy as a process, when it is stopped and when it is killed while an image is on its way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
import pytest
from aiohttp import web

from oidproxy.manyclouds.leasing import LASTS
from tests.manyclouds.glance import Glance
from tests.manyclouds.world import HERE, THERE
from tests.tokens.bodies import body as token_body
from tests.wire.rig import eventually, loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN, PROJECT, PORT = "demo-token", "p-1", 8888
MIB = 1 << 20


@asynccontextmanager
async def served(*routes: web.RouteDef) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def keystone():
    async def show(_: web.Request) -> web.Response:
        ends = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return web.json_response({"token": token_body(expires_at=ends)})

    async with served(web.get("/v3/auth/tokens", show)) as url:
        yield f"{url}/v3"


@pytest.fixture
async def nova():
    async def create(_: web.Request) -> web.Response:
        return web.json_response({"server": {"id": "s"}}, status=202)

    async with served(web.post("/v2.1/servers", create)) as url:
        yield f"{url}/v2.1"


@pytest.fixture
async def here():
    made = Glance({TOKEN: PROJECT})
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def there():
    made = Glance({TOKEN: PROJECT})
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def image(there):
    there.faults.pause = 0.05
    return there.add(PROJECT, 30 * MIB)["id"]


class Proxy:
    """`oidproxy serve` with a configuration of its own and a folder of its own for what is temporary."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.host = loopback()
        self.config = folder / "oidproxy.yaml"
        listeners = [{"bind": f"{self.host}:{PORT}"}]
        self.config.write_text(json.dumps({"listeners": listeners, **settings}))
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.process: asyncio.subprocess.Process

    async def start(self) -> None:
        words = (sys.executable, "-m", "oidproxy", "serve", "--config", str(self.config))
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        self.process = await asyncio.create_subprocess_exec(*words, env=environment)
        async with asyncio.timeout(20):
            while not await self._serves():
                await asyncio.sleep(0.05)

    async def _serves(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self._url}/healthcheck") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """All of it, as a power failure does."""
        whole = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for one in whole:
            one.kill()
        await self.process.wait()

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait()

    async def ask(self, image: str) -> tuple[int, dict[str, str]]:
        """A server of the image: status and fields of the answer; 0 where none came."""
        headers = {"X-Auth-Token": TOKEN, "X-Scope": f"compute:{HERE};image:{THERE}"}
        body = {"server": {"imageRef": image}}
        url = f"{self._url}/compute/v2.1/servers"
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, json=body, headers=headers) as answer,
            ):
                return answer.status, dict(answer.headers)
        except aiohttp.ClientError:
            return 0, {}

    def leases_end_sooner(self, *, by: float) -> None:
        [state] = self.temporary.glob("*/state.db")
        with closing(sqlite3.connect(state, timeout=10.0, isolation_level=None)) as connection:
            assert connection.execute("UPDATE lease SET until = until - ?", (by,)).rowcount == 1

    @property
    def _url(self) -> str:
        return f"http://{self.host}:{PORT}"


@pytest.fixture
async def proxy(tmp_path, keystone, nova, here, there):
    ours = {"identity": keystone, "compute": nova, "image": f"http://127.0.0.1:{here.port}"}
    theirs = {"identity": keystone, "image": f"http://127.0.0.1:{there.port}"}
    admits = {HERE: {"roles": ["member", "reader"]}}
    made = Proxy(
        tmp_path,
        {
            "local": HERE,
            "limits": {"drain": "20s"},
            "clouds": {
                HERE: {"auth_url": keystone, "exchange": [], "endpoints": ours},
                THERE: {"auth_url": keystone, "exchange": ["same"], "admits": admits, "endpoints": theirs},
            },
        },
    )
    await made.start()
    yield made
    await made.stop()


async def test_a_client_that_waits_is_told_when_the_proxy_is_stopped(proxy, here, image):
    asking = asyncio.create_task(proxy.ask(image))
    await eventually(lambda: here.taken > MIB, 20.0)
    began = time.monotonic()
    proxy.process.send_signal(signal.SIGTERM)
    status, fields = await asking
    assert time.monotonic() - began < 2.0
    assert (status, fields["X-Oidproxy-Error"]) == (503, "draining")
    assert int(fields["Retry-After"]) >= 1
    assert await proxy.process.wait() == 0
    assert here.images == {}, "and nothing half is left"
    assert [*proxy.temporary.iterdir()] == []


async def test_what_a_killed_proxy_left_is_tidied_up_by_the_next_without_a_store(proxy, here, there, image):
    asking = asyncio.create_task(proxy.ask(image))
    await eventually(lambda: here.taken > MIB, 20.0)
    [half] = here.images
    await proxy.kill()
    assert (await asking)[0] == 0
    await eventually(lambda: here.images[half]["status"] == "queued")
    there.faults.pause = 0.0
    await proxy.start()
    # The lease of the one that was killed has its time to run out, of which this sees the end.
    proxy.leases_end_sooner(by=LASTS - 4.0)
    while (told := await proxy.ask(image))[0] == 503:
        await asyncio.sleep(int(told[1]["Retry-After"]))
    assert told[0] == 202
    assert here.deleted == [half]
    assert [one["status"] for one in here.images.values()] == ["active"]
    await proxy.stop()
    assert [*proxy.temporary.iterdir()] == []
