"""A Glance that can be told to fail: images in memory, their data only counted and hashed as they stream."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PIECE = 64 * 1024
READ_ONLY = ("status", "owner", "size", "os_hash_algo", "os_hash_value", "created_at", "updated_at", "self")


@dataclass
class Faults:
    """What goes wrong; nothing by default."""

    breaks_after: int | None = None
    """Bytes of data given, before the connection breaks."""
    refuses_creation: tuple[int, str] | None = None
    refuses_data: tuple[int, str] | None = None
    refuses_data_after: int = 0
    """Bytes read before the refusal."""
    corrupts: bool = False
    """Stores something else than it was sent."""
    algorithm: str = "sha512"
    reserved: frozenset[str] = frozenset()
    """Properties that nobody may set."""
    pause: float = 0.0
    """Seconds between two pieces of data."""
    gate: asyncio.Event | None = None
    """Data are given when it is set."""
    reads: asyncio.Event | None = None
    """Data are read when it is set."""
    deletes_after: int = 0
    """So many DELETEs are a 409 first."""
    unauthorized: int = 0
    """So many requests are a 401 first."""
    endless: bool = False
    """Gives data for ever."""
    chunked: bool = False
    """Its answers do not say how long they are."""


@dataclass
class Glance:
    """One image service on a port of its own."""

    tokens: dict[str, str] = field(default_factory=dict)
    """Token -> project."""
    faults: Faults = field(default_factory=Faults)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """`METHOD path` of every request."""
    given: int = 0
    """Bytes of data sent …"""
    taken: int = 0
    """… and received."""
    deleted: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    """Further ids under which an image is found, as databases that ignore case do."""
    host: str = "127.0.0.1"
    port: int = 0
    runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=1 << 40)
        app.add_routes(
            [
                web.get("/v2/images", self._list),
                web.post("/v2/images", self._create),
                web.get("/v2/images/{id}", self._show),
                web.delete("/v2/images/{id}", self._delete),
                web.put("/v2/images/{id}/file", self._upload),
                web.get("/v2/images/{id}/file", self._download),
            ]
        )
        self.runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self.runner.setup()
        site = web.TCPSite(self.runner, self.host, self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()

    def count(self, what: str) -> int:
        """How many requests began so."""
        return sum(one.startswith(what) for one in self.asked)

    def add(self, owner: str, size: int = 0, **values: Any) -> dict[str, Any]:
        """An active image whose data are `size` zeros."""
        image = {
            "id": str(uuid4()),
            "name": "cirros",
            "status": "active",
            "owner": owner,
            "visibility": "shared",
            "disk_format": "qcow2",
            "container_format": "bare",
            "min_disk": 0,
            "min_ram": 0,
            "size": size,
            "os_hash_algo": "sha512",
            "os_hash_value": zeros(size),
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": stamp(),
            "self": "/v2/images/x",
            "tags": [],
            **values,
        }
        self.images[image["id"]] = image
        return image

    # Handlers.

    def _project(self, request: web.Request) -> str:
        self.asked.append(f"{request.method} {request.path}")
        if self.faults.unauthorized:
            self.faults.unauthorized -= 1
            raise web.HTTPUnauthorized
        project = self.tokens.get(request.headers.get("X-Auth-Token", ""))
        if project is None:
            raise web.HTTPUnauthorized
        return project

    def _seen(self, request: web.Request) -> dict[str, Any]:
        project = self._project(request)
        asked = request.match_info["id"]
        image = self.images.get(self.aliases.get(asked, asked))
        if image is None or (image["owner"] != project and image["visibility"] != "public"):
            raise web.HTTPNotFound
        return image

    async def _list(self, request: web.Request) -> web.Response:
        project = self._project(request)
        query = dict(request.query)
        limit, marker = int(query.pop("limit", "25")), query.pop("marker", "")
        found = [
            image
            for _, image in sorted(self.images.items())
            if image["owner"] == project and all(str(image.get(key)) == query[key] for key in query)
        ]
        found = [image for image in found if image["id"] > marker][:limit]
        return web.json_response({"images": found, "first": "/v2/images"})

    async def _create(self, request: web.Request) -> web.Response:
        project = self._project(request)
        given = await request.json()
        if self.faults.refuses_creation:
            return refusal(*self.faults.refuses_creation)
        for name in sorted(self.faults.reserved & given.keys()):
            return refusal(403, f"Attribute '{name}' is reserved.<br /><br />")
        assert not given.keys() & set(READ_ONLY)
        image = {"visibility": "shared", "tags": [], "size": None, **given}
        image |= {"status": "queued", "owner": project, "os_hash_algo": None, "os_hash_value": None}
        image["updated_at"] = stamp()
        self.images[image["id"]] = image
        return web.json_response(image, status=201)

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._seen(request))

    async def _delete(self, request: web.Request) -> web.Response:
        image = self._seen(request)
        if self.faults.deletes_after:
            self.faults.deletes_after -= 1
            return refusal(409, "Image is in use.")
        del self.images[image["id"]]
        self.deleted.append(image["id"])
        return web.Response(status=204)

    async def _upload(self, request: web.Request) -> web.Response:
        image = self._seen(request)
        assert image["status"] == "queued"
        image["status"] = "saving"
        digest, size = hashlib.new(self.faults.algorithm), 0
        if self.faults.reads is not None:
            await self.faults.reads.wait()
        try:
            async for piece in request.content.iter_chunked(PIECE):
                digest.update(piece)
                size += len(piece)
                self.taken += len(piece)
                if self.faults.refuses_data and size > self.faults.refuses_data_after:
                    image["status"] = "killed"
                    return refusal(*self.faults.refuses_data)
                if self.faults.pause:
                    await asyncio.sleep(self.faults.pause)
        except BaseException:
            image["status"] = "queued"
            raise
        if self.faults.corrupts:
            digest.update(b"!")
        image |= {"status": "active", "size": size}
        image |= {"os_hash_algo": self.faults.algorithm, "os_hash_value": digest.hexdigest()}
        return web.Response(status=204)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        image = self._seen(request)
        if self.faults.gate is not None:
            await self.faults.gate.wait()
        answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        if not self.faults.chunked:
            answer.content_length = image["size"]
        await answer.prepare(request)
        async for piece in self._pieces(image["size"]):
            await answer.write(piece)
            self.given += len(piece)
            if self.faults.breaks_after is not None and self.given >= self.faults.breaks_after:
                assert request.transport is not None
                request.transport.abort()
                return answer
        await answer.write_eof()
        return answer

    async def _pieces(self, size: int) -> AsyncIterator[bytes]:
        zero = bytes(PIECE)
        while self.faults.endless:
            await asyncio.sleep(0)
            yield zero
        for start in range(0, size, PIECE):
            if self.faults.pause:
                await asyncio.sleep(self.faults.pause)
            yield zero[: min(PIECE, size - start)]


def stamp(ago: float = 0.0) -> str:
    """A time in Glance's form."""
    return datetime.fromtimestamp(time.time() - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def refusal(status: int, message: str) -> web.Response:
    body = json.dumps({"message": message, "code": f"{status} x", "title": "x"})
    return web.Response(status=status, text=body, content_type="application/json")


def zeros(size: int) -> str:
    """The hash of so many zeros."""
    digest = hashlib.sha512()
    piece = bytes(PIECE)
    for start in range(0, size, PIECE):
        digest.update(piece[: min(PIECE, size - start)])
    return digest.hexdigest()
