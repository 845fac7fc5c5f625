"""The switch of recordings at the admin listener."""

from __future__ import annotations

import aiohttp
import pytest

from oidproxy.clouds.registry import Admin
from oidproxy.console import app, serve
from oidproxy.errors import TraceInvalid

TOKEN = "s3cret-admin-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Recordings:
    """What is switched."""

    def __init__(self) -> None:
        self.on = False
        self.asked = []

    async def begin(self) -> str:
        if self.on:
            raise TraceInvalid("r is being recorded already")
        self.on = True
        return "recording into /traces/r"

    async def end(self) -> str:
        self.on = False
        return "recorded into /traces/r"

    def state(self):
        return {"recording": "r" if self.on else None, "dropped": {"queue": 0}}


async def nothing():
    return ""


@pytest.fixture
def recordings():
    return Recordings()


@pytest.fixture
async def admin(recordings):
    config = Admin("127.0.0.1", 0, TOKEN)
    application = app.build(
        config, ready=lambda: True, counters=dict, reload=nothing, drain=nothing, recordings=recordings
    )
    listening = serve.listen(config)
    runner = await serve.start(application, listening)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{listening.getsockname()[1]}") as session:
        yield session
    await runner.cleanup()


async def test_it_is_switched_with_the_token(admin, recordings):
    async with admin.post("/recording/begin", headers=BEARER) as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "recording", "message": "recording into /traces/r"}
    assert recordings.on
    async with admin.get("/recording") as answer:
        assert await answer.json() == {"recording": "r", "dropped": {"queue": 0}}
    async with admin.post("/recording/end", headers=BEARER) as answer:
        assert await answer.json() == {"status": "recorded", "message": "recorded into /traces/r"}
    assert not recordings.on


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({**BEARER, "Origin": "http://evil.example"}, 403)],
)
@pytest.mark.parametrize("path", ["/recording/begin", "/recording/end"])
async def test_nobody_else_switches_it(admin, recordings, path, headers, status):
    async with admin.post(path, headers=headers) as answer:
        assert answer.status == status
    assert not recordings.on


async def test_reading_changes_nothing(admin, recordings):
    for path in ("/recording/begin", "/recording/end"):
        async with admin.get(path, headers=BEARER) as answer:
            assert answer.status == 405
    assert not recordings.on


async def test_a_request_cannot_say_where_to(admin, recordings):
    async with admin.post("/recording/begin?folder=/etc", json={"folder": "/etc"}, headers=BEARER) as answer:
        assert (await answer.json())["message"] == "recording into /traces/r"


async def test_what_cannot_be_is_told(admin, recordings):
    recordings.on = True
    async with admin.post("/recording/begin", headers=BEARER) as answer:
        assert (answer.status, answer.headers["X-Oidproxy-Error"]) == (400, "trace")
        assert (await answer.json())["error"]["message"] == "r is being recorded already"


async def test_another_host_does_not_read_of_it(admin):
    async with admin.get("/recording", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403
