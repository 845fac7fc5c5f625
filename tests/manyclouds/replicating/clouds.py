"""Clouds that count what they hold and can be stopped at any step of a request; one port for all services."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web

OPEN_UNTIL = "2099-01-01T00:00:00.000000Z"
MEMBERS = {
    ("compute", "servers"): "server",
    ("compute", "flavors"): "flavor",
    ("compute", "os-keypairs"): "keypair",
    ("compute", "os-server-groups"): "server_group",
    ("block-storage", "volumes"): "volume",
    ("network", "networks"): "network",
    ("network", "ports"): "port",
    ("network", "security-groups"): "security_group",
    ("image", "images"): "",
}
ACCEPTED = {"servers": 202, "volumes": 202}


@dataclass
class Stop:
    """Where a request is held up: before anything happened, or before it is answered."""

    method: str
    name: str
    after: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrives(self) -> None:
        """Until a request is held up here."""
        async with asyncio.timeout(30.0):
            await self.reached.wait()


@dataclass
class Fault:
    """What is answered instead of doing it (`done`: after doing it)."""

    method: str
    name: str
    status: int
    times: int = 1000
    done: bool = False
    repeats: bool = False
    """The error's text has the token of the request."""


@dataclass
class Claim:
    """The id that the next thing is made under, whoever else has it."""

    method: str
    name: str
    id: str
    times: int = 1
    done: bool = False
    status: int = 0


@dataclass
class FakeCloud:
    """One cloud. Resources are kept by (service, collection) and id."""

    name: str
    things: dict[tuple[str, str], dict[str, dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path, body of every request but those to Keystone."""
    tokens: list[str] = field(default_factory=list)
    """X-Auth-Token of each."""
    deleted: list[str] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    faults: list[Fault | Claim] = field(default_factory=list)
    uploaded: dict[str, bytearray] = field(default_factory=dict)
    reads: asyncio.Event | None = None
    """Uploads are read while it is set."""
    users: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Token -> user and project, of those that this Keystone issued."""
    claims: str = ""
    drips: set[str] = field(default_factory=set)
    """Methods whose answers never end, a byte after the other."""
    port: int = 0
    runner: web.AppRunner | None = None

    def of(self, service: str, name: str) -> dict[str, dict[str, Any]]:
        return self.things.setdefault((service, name), {})

    def count(self, method: str, path: str) -> int:
        return sum(one[0] == method and one[1].endswith(path) for one in self.asked)

    async def start(self) -> None:
        app = web.Application(client_max_size=1 << 40)
        app.router.add_route("*", "/identity/v3/auth/tokens", self._keystone)
        app.router.add_route("*", "/{service}/{rest:.*}", self._serve)
        self.runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        for one in self.stops:
            one.released.set()
        if self.runner is not None:
            await self.runner.cleanup()

    def stop_at(self, method: str, name: str, *, after: bool = False) -> Stop:
        stop = Stop(method, name, after)
        self.stops.append(stop)
        return stop

    # Keystone.

    async def _keystone(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            auth = (await request.json())["auth"]["identity"]["password"]["user"]
            token = f"token-of-{auth['name']}-{uuid4().hex}"
            self.users[token] = (auth["name"], f"project-of-{auth['name']}")
            return self._told(token, 201)
        subject = request.headers.get("X-Subject-Token", "")
        if subject not in self.users:
            return web.json_response({"error": {"message": "no"}}, status=401)
        return self._told(subject, 200)

    def _told(self, token: str, status: int) -> web.Response:
        user, project = self.users[token]
        domain = {"id": "default", "name": "Default"}
        body = {
            "user": {"id": f"id-of-{user}", "name": user, "domain": domain},
            "project": {"id": project, "name": project, "domain": domain},
            "roles": [{"id": "r", "name": "admin" if user.startswith("operator") else "member"}],
            "methods": ["password"],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": OPEN_UNTIL,
            "audit_ids": [hashlib.sha256(token.encode()).hexdigest()[:16]],
            "catalog": [],
        }
        return web.json_response({"token": body}, status=status, headers={"X-Subject-Token": token})

    # The services.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        service, rest = request.match_info["service"], request.match_info["rest"].split("/")
        self.tokens.append(request.headers.get("X-Auth-Token", ""))
        parts = rest[1:]
        if parts and (service, parts[0]) not in MEMBERS:
            parts = parts[1:]
        if not parts or (service, parts[0]) not in MEMBERS:
            raise web.HTTPNotFound
        name = parts[0]
        if parts[2:] == ["file"]:
            return await self._upload(request, self.of(service, name), parts[1])
        body = await request.read()
        self.asked.append((request.method, request.path_qs, body))
        await self._held(request.method, name, after=False)
        fault = self._fault(request.method, name)
        if isinstance(fault, Claim):
            self.claims = fault.id
            fault = None
        if fault is not None and not fault.done:
            return _error(fault.status, self.tokens[-1] if fault.repeats else "")
        answer = self._do(request, service, name, parts[1:], body)
        await self._held(request.method, name, after=True)
        if request.method in self.drips:
            return await _dripping(request)
        return answer if fault is None else _error(fault.status)

    async def _held(self, method: str, name: str, *, after: bool) -> None:
        for one in self.stops:
            if (one.method, one.name, one.after) == (method, name, after) and not one.released.is_set():
                one.reached.set()
                await one.released.wait()

    def _fault(self, method: str, name: str) -> Fault | Claim | None:
        for one in self.faults:
            if (one.method, one.name) == (method, name) and one.times > 0:
                one.times -= 1
                return one
        return None

    def _do(
        self, request: web.Request, service: str, name: str, below: list[str], body: bytes
    ) -> web.Response:
        held, member = self.of(service, name), MEMBERS[service, name]
        if not below and request.method == "POST":
            return self._make(held, name, member, json.loads(body))
        if not below or below == ["detail"]:
            rows = sorted(held.values(), key=lambda one: str(one["id"]))
            query = request.query
            known = {"os_hash_value", "status"} & query.keys()
            rows = [row for row in rows if all(row.get(key) == query[key] for key in known)]
            rows = [row for row in rows if str(row["id"]) > query.get("marker", "")]
            return web.json_response({name.replace("-", "_").removeprefix("os_"): rows[:2]})
        found = held.get(below[0])
        if found is None:
            return _error(404)
        if request.method == "GET":
            return web.json_response({member: found} if member else found)
        if request.method == "DELETE" and len(below) == 1:
            del held[below[0]]
            self.deleted.append(below[0])
            return web.Response(status=204)
        if request.method in {"PUT", "PATCH"} and len(below) == 1:
            given = json.loads(body)
            found.update(given[member] if member else {op["path"][1:]: op["value"] for op in given})
            return web.json_response({member: found} if member else found)
        return self._act(json.loads(body) if body else None)

    def _act(self, given: Any) -> web.Response:
        """An action; one makes an image."""
        made = given.get("createImage") if isinstance(given, dict) else None
        if made is None:
            return web.Response(status=202)
        image = {"id": str(uuid4()), "name": made["name"]}
        self.of("image", "images")[image["id"]] = image
        if made.get("metadata"):
            return web.json_response({"image_id": image["id"]}, status=202)
        return web.Response(status=202, headers={"Location": f"http://glance/v2/images/{image['id']}"})

    def _make(self, held: dict[str, Any], name: str, member: str, given: dict[str, Any]) -> web.Response:
        wanted = given[member] if member else given
        key = "name" if name == "os-keypairs" else "id"
        made = {"status": "queued" if name == "images" else "ACTIVE", **wanted}
        if self.claims:
            made["id"], self.claims = self.claims, ""
        made.setdefault("id", str(uuid4()) if key == "id" else wanted["name"])
        if made[key] in held:
            return _error(409)
        held[made[key]] = made
        link = {"rel": "self", "href": f"http://127.0.0.1:{self.port}/compute/v2.1/{name}/{made['id']}"}
        shown = {**made, "links": [link]}
        return web.json_response({member: shown} if member else shown, status=ACCEPTED.get(name, 201))

    async def _upload(self, request: web.Request, held: dict[str, Any], image: str) -> web.Response:
        self.asked.append((request.method, request.path_qs, b""))
        if image not in held:
            return _error(404)
        fault = self._fault("PUT", "file")
        taken = self.uploaded[image] = bytearray()
        async for piece in request.content.iter_chunked(64 * 1024):
            taken += piece
            if fault is not None:
                return _error(fault.status)
            if self.reads is not None:
                await self.reads.wait()
        held[image]["status"] = "active"
        return web.Response(status=204)


async def _dripping(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(status=200)
    await answer.prepare(request)
    while True:
        await answer.write(b" ")
        await asyncio.sleep(0.1)


def _error(status: int, text: str = "") -> web.Response:
    message = text or f"it is a {status}"
    return web.json_response({"error": {"code": status, "message": message}}, status=status)
