"""The admin listener over a real socket."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest

from oidproxy.clouds.registry import Admin
from oidproxy.console import app, serve
from oidproxy.errors import ConfigError

TOKEN = "s3cret-admin-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Proxy:
    """What the admin listener is connected to."""

    def __init__(self) -> None:
        self.ready = True
        self.reloads = 0
        self.drained = 0
        self.failure: Exception | None = None

    async def reload(self) -> str:
        if self.failure:
            raise self.failure
        self.reloads += 1
        return "2 clouds"

    async def drain(self) -> None:
        self.drained += 1

    def counters(self):
        return {"oidproxy_requests_total": {(("cloud", "cloud-1"),): 5}}


@pytest.fixture
def proxy():
    return Proxy()


@pytest.fixture
async def admin(proxy):
    """A client of a listening admin application."""
    config = Admin("127.0.0.1", 0, TOKEN)
    application = app.build(
        config, ready=lambda: proxy.ready, counters=proxy.counters, reload=proxy.reload, drain=proxy.drain
    )
    listening = serve.listen(config)
    port = listening.getsockname()[1]
    runner = await serve.start(application, listening)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session
    await runner.cleanup()


async def test_the_process_is_alive(admin):
    async with admin.get("/healthz") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ok"}


async def test_readiness_follows_the_proxy(admin, proxy):
    async with admin.get("/readyz") as answer:
        assert answer.status == 200
    proxy.ready = False
    async with admin.get("/readyz") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    async with admin.get("/healthz") as answer:
        assert answer.status == 200


async def test_metrics_are_the_counters(admin):
    async with admin.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert 'oidproxy_requests_total{cloud="cloud-1"} 5.0' in await answer.text()


async def test_a_name_of_another_is_refused(admin):
    async with admin.get("/metrics", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403
        assert answer.headers["X-Oidproxy-Error"] == "not-admitted"
        error = (await answer.json())["error"]
        assert (error["code"], error["title"]) == (403, "Forbidden")
        assert "requests_total" not in await answer.text()


async def test_reload_needs_the_token(admin, proxy):
    async with admin.post("/reload") as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    async with admin.post("/reload", headers={"Authorization": "Bearer wrong"}) as answer:
        assert answer.status == 401
        assert "wrong" not in await answer.text()
    assert proxy.reloads == 0
    async with admin.post("/reload", headers=BEARER) as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "reloaded", "message": "2 clouds"}
    assert proxy.reloads == 1


async def test_a_bad_configuration_says_where_and_changes_nothing(admin, proxy):
    proxy.failure = ConfigError(
        "unknown key `clods`", file="oidproxy.yaml", line=3, column=1, suggestion="clouds"
    )
    async with admin.post("/reload", headers=BEARER) as answer:
        assert answer.status == 400
        message = (await answer.json())["error"]["message"]
    assert message == (
        "the configuration stays as it was: oidproxy.yaml:3:1: unknown key `clods` (did you mean clouds?)"
    )


async def test_drain_needs_the_token_and_refuses_another_page(admin, proxy):
    async with admin.post("/drain", headers={**BEARER, "Origin": "http://evil.example"}) as answer:
        assert answer.status == 403
    assert proxy.drained == 0
    origin = f"http://127.0.0.1:{admin._base_url.port}"
    async with admin.post("/drain", headers={**BEARER, "Origin": origin}) as answer:
        assert answer.status == 202
    assert proxy.drained == 1


async def test_what_changes_is_no_get(admin, proxy):
    async with admin.get("/reload", headers=BEARER) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.headers["X-Oidproxy-Error"] == "method"
    assert proxy.reloads == 0


async def test_an_unknown_path_is_an_error_in_openstacks_shape(admin):
    async with admin.get("/") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == 404


async def test_a_bug_tells_the_log_and_not_the_caller(admin, proxy, caplog):
    proxy.failure = RuntimeError("the password is hunter2")
    with caplog.at_level(logging.ERROR, "oidproxy.console.app"):
        async with admin.post("/reload", headers=BEARER) as answer:
            assert answer.status == 500
            assert "hunter2" not in await answer.text()
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/nothing"])
async def test_no_answer_names_its_server_or_may_be_kept(admin, path):
    async with admin.get(path) as answer:
        assert "Server" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_cleanup_frees_the_address():
    config = Admin("127.0.0.1", 0, TOKEN)
    proxy = Proxy()
    application = app.build(
        config, ready=lambda: True, counters=proxy.counters, reload=proxy.reload, drain=proxy.drain
    )
    listening = serve.listen(config)
    port = listening.getsockname()[1]
    runner = await serve.start(application, listening)
    await runner.cleanup()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
