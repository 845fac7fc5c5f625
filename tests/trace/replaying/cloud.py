"""A small OpenStack for replays: Keystone, servers with ids of its own, and whatever a test wants of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from aiohttp import web

from tests.trace.lines import uuid


class FakeCloud:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.logins: list[tuple[str, dict]] = []
        self.bodies: dict[int, bytes] = {}
        self.refuses_scopes: set[str] = set()
        self.made = 0
        self.servers: dict[str, str] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()
        self.on_request = lambda request: None
        self.url = ""

    @asynccontextmanager
    async def running(self):
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{rest:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.gate.set()
            await runner.cleanup()

    @property
    def calls(self) -> list[str]:
        return [f"{one.method} {one.path_qs}" for one in self.asked]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/identity/v3/auth/tokens" and request.method == "POST":
            return await self._login(request)
        number = len(self.asked)
        self.asked.append(request)
        self.bodies[number] = await request.read()
        self.on_request(request)
        await self.gate.wait()
        return self.answer(request)

    async def _login(self, request: web.Request) -> web.Response:
        scope = request.headers.get("X-Scope", "")
        self.logins.append((scope, await request.json()))
        if scope in self.refuses_scopes:
            return web.json_response({}, status=400)
        now = datetime.now(UTC)
        token = {
            "user": {"id": "user-now"},
            "project": {"id": "project-now"},
            "issued_at": now.isoformat(),
            "expires_at": (now + timedelta(hours=1)).isoformat(),
            "catalog": [
                {
                    "type": "compute",
                    "endpoints": [{"interface": "public", "region": "R", "url": f"{self.url}/compute/v2.1"}],
                },
                {
                    "type": "object-store",
                    "endpoints": [
                        {"interface": "public", "region": "R", "url": f"{self.url}/object/v1/AUTH_p"}
                    ],
                },
                {
                    "type": "bare",
                    "endpoints": [{"interface": "public", "region": "R", "url": self.url}],
                },
                {
                    "type": "image",
                    "endpoints": [
                        {"interface": "public", "region": "R", "url": "http://images.example:9292"}
                    ],
                },
            ],
        }
        fields = {"X-Subject-Token": f"token-{len(self.logins)}"}
        return web.json_response({"token": token}, status=201, headers=fields)

    def answer(self, request: web.Request) -> web.Response:
        fields = {}
        if request.headers.get("X-Scope-Explain"):
            fields["X-Scope-Why"] = "service=compute; cloud=cloud-9; by=header"
        if request.method == "POST" and request.path.endswith("/servers"):
            self.made += 1
            found = uuid(1000 + self.made)
            self.servers[found] = "ACTIVE"
            return web.json_response({"server": {"id": found}}, status=202, headers=fields)
        name = request.path.rpartition("/")[2]
        if len(name) == 36 and name not in self.servers:
            return web.json_response({}, status=404)
        if request.method == "DELETE":
            del self.servers[name]
            return web.Response(status=204)
        return web.json_response({"servers": []}, headers=fields)
