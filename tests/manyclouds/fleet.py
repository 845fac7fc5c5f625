"""Many small clouds on sockets of this process, each misbehaving as told, and a proxy in front of them."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from tests.tokens.bodies import body as token_body
from tests.wire import rig as wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN, PROJECT = "demo-token", "p-1"
FLEET_KEY = bytes(range(64)).hex()
HOME = "cloud-1"

LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)

LISTS = {"images": "image", "servers": "compute", "networks": "network", "projects": "identity"}
ORDERS = {"images": [("created_at", True)], "servers": [("created", True)], "networks": [("id", False)]}
SORT_MEMBERS = {"created_at": {"servers": "created"}, "display_name": {"servers": "name"}}


@dataclass
class Call:
    """One request that a cloud got."""

    method: str
    target: str
    head: bytes
    body: bytes

    def field(self, name: str) -> str | None:
        found = re.search(rb"\r\n" + name.encode() + rb": ([^\r]*)", self.head, re.IGNORECASE)
        return None if found is None else found[1].decode()


@dataclass
class Cloud:
    """All services of one cloud at one port."""

    name: str
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    latency: float = 0.0
    fault: Any = None
    """Takes the place of the answer to whatever is asked but of Keystone."""
    knows_tokens: bool = True
    """Whether its Keystone knows any token."""
    calls: list[Call] = field(default_factory=list)
    port: int = 0
    gone: int = 0
    """Connections that were closed from the other side while an answer was owed."""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def die(self) -> None:
        """Nobody listens any more."""
        await self.stop()
        self._server = None

    def got(self, words: str = "") -> list[Call]:
        """What was asked of its services, Keystone apart."""
        return [call for call in self.calls if f"{call.method} {call.target}".startswith(words)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with suppress(asyncio.CancelledError):
                await self._converse(reader, writer)
        finally:
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
                if target.startswith("/v3/auth/tokens"):
                    writer.write(answer(200, {"token": token()}) if self.knows_tokens else answer(404, {}))
                    continue
                self.calls.append(Call(method, target, head, body))
                if self.latency:
                    await asyncio.sleep(self.latency)
                reply = answer(*self.reply(method, target), port=self.port)
                if self.fault is None:
                    writer.write(reply)
                    await writer.drain()
                else:
                    watching = asyncio.create_task(self._watch(reader))
                    try:
                        await self.fault(self, writer, reply)
                    finally:
                        watching.cancel()
                    with suppress(ConnectionError):
                        writer.close()
                        await writer.wait_closed()
                    break

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        if await reader.read(1) == b"":
            self.gone += 1

    def reply(self, method: str, target: str) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        parts = [unquote(part) for part in path.split("/") if part][1:]
        name = parts[0] if parts else ""
        if name not in self.rows:
            return 404, {"error": {"code": 404, "message": "not here"}}
        if method == "POST":
            row = {"id": f"{self.name}-new", "name": "new", "links": self.links(name, "new")}
            self.rows[name].append(row)
            return 201, {name[:-1]: row} if name != "images" else row
        if len(parts) > 1 and parts[1] != "detail":
            row = next((one for one in self.rows[name] if one["id"] == parts[1]), None)
            return (404, {}) if row is None else (200, row if name == "images" else {name[:-1]: row})
        return self.page(name, path, parse_qs(query))

    def page(self, name: str, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        wanted = list(zip(query.get("sort_key", []), query.get("sort_dir", []), strict=False))
        order = [
            (SORT_MEMBERS.get(key, {}).get(name, key), way == "desc") for key, way in wanted
        ] or ORDERS.get(name, [("id", False)])
        rows = sorted(self.rows[name], key=lambda row: row["id"], reverse=order[-1][1])
        for member, descending in reversed(order):
            rows.sort(key=lambda row: (row.get(member) is not None, row.get(member)), reverse=descending)
        for key in ("name", "status"):
            if key in query:
                rows = [row for row in rows if row.get(key) == query[key][0]]
        if "marker" in query:
            places = [place for place, row in enumerate(rows) if row["id"] == query["marker"][0]]
            if not places:
                return 400, {"badRequest": {"code": 400, "message": "marker not found"}}
            rows = rows[places[0] + 1 :]
        limit = int(query["limit"][0]) if "limit" in query else len(rows)
        document: dict[str, Any] = {name: rows[:limit]}
        if len(rows) > limit:
            href = f"http://127.0.0.1:{self.port}{path}?marker={rows[limit - 1]['id']}&limit={limit}"
            if name == "images":
                document["next"] = href.partition(str(self.port))[2]
            else:
                document[f"{name}_links"] = [{"rel": "next", "href": href}]
        return 200, document

    def links(self, name: str, identity: str) -> list[dict[str, str]]:
        """The port is put in when a row is sent: it is not known before."""
        return [{"rel": "self", "href": f"http://127.0.0.1:PORT/v2.1/{name}/{identity}"}]


def token() -> dict[str, Any]:
    ends = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return token_body(expires_at=ends)


def answer(status: int, document: Any, *fields: str, port: int = 0) -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    body = body.replace(b"PORT", str(port).encode())
    lines = [
        f"HTTP/1.1 {status} X",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# Faults.


async def silent(cloud: Cloud, writer: asyncio.StreamWriter, reply: bytes) -> None:
    """The head never comes."""
    await asyncio.sleep(60)


async def broken(cloud: Cloud, writer: asyncio.StreamWriter, reply: bytes) -> None:
    """The body breaks off in its middle."""
    writer.write(reply[: len(reply) // 2])
    await writer.drain()


async def almost(cloud: Cloud, writer: asyncio.StreamWriter, reply: bytes) -> None:
    """A body that is complete, of JSON that is not: its last tenth is missing."""
    head, _, body = reply.partition(b"\r\n\r\n")
    body = body[: len(body) * 9 // 10]
    writer.write(
        re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head) + b"\r\n\r\n" + body
    )
    await writer.drain()


async def garbage(cloud: Cloud, writer: asyncio.StreamWriter, reply: bytes) -> None:
    """No JSON at all."""
    writer.write(answer(200, b"\x00\xff<html>not this time</html>"))
    await writer.drain()


async def nonsense(cloud: Cloud, writer: asyncio.StreamWriter, reply: bytes) -> None:
    """No HTTP at all."""
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()


async def reset(cloud: Cloud, writer: asyncio.StreamWriter, reply: bytes) -> None:
    """The connection ends without one byte."""
    writer.transport.abort()


def says(status: int, document: Any = None, *fields: str) -> Any:
    """Another answer."""

    async def fault(cloud: Cloud, writer: asyncio.StreamWriter, reply: bytes) -> None:
        writer.write(answer(status, document or {"error": {"code": status, "message": "so it is"}}, *fields))
        await writer.drain()

    return fault


# The whole.


@dataclass
class Answer:
    """What the proxy answered."""

    status: int
    head: bytes
    body: bytes

    def field(self, name: str) -> str | None:
        found = re.search(rb"\r\n" + name.encode() + rb": ([^\r]*)", self.head, re.IGNORECASE)
        return None if found is None else found[1].decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def clouds(self) -> dict[str, str]:
        """X-Scope-Clouds, taken apart."""
        said = self.field("X-Scope-Clouds")
        assert said is not None, self.head
        return dict(part.split("=", 1) for part in said.split(";"))

    @property
    def message(self) -> str:
        return self.json["error"]["message"]


@dataclass
class Fleet:
    """The clouds by name, and the proxy."""

    clouds: dict[str, Cloud]
    proxy: wire.Rig

    def __getitem__(self, name: str) -> Cloud:
        return self.clouds[name]

    async def ask(
        self, target: str, scope: str | None = None, *, method: str = "GET", body: Any = None, **fields: str
    ) -> Answer:
        """One request on a connection of its own. Fields are given with `_` for `-`."""
        peer = await self.proxy.client()
        await peer.send(request(target, scope, method=method, body=body, **fields))
        peer.patience = 30.0
        try:
            return await read(peer, method)
        finally:
            await peer.gone()


def request(
    target: str, scope: str | None = None, *, method: str = "GET", body: Any = None, **fields: str
) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    given = {"Host": "proxy", "X-Auth-Token": TOKEN, "X-Scope": scope}
    given |= {"Content-Type": "application/json", "Content-Length": str(len(data))} if data else {}
    given |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in given.items() if value is not None]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


async def read(peer: wire.Peer, method: str = "GET") -> Answer:
    head = await peer.head()
    body = b""
    if method != "HEAD":
        if b"transfer-encoding: chunked" in head.lower():
            while size := int(await peer.until(b"\r\n"), 16):
                body += (await peer.exactly(size + 2))[:-2]
            await peer.exactly(2)
        elif found := LENGTH.search(head):
            body = await peer.exactly(int(found[1]))
    return Answer(int(head.split(b" ")[1]), head, body)


def named(count: int) -> list[str]:
    return [f"cloud-{number}" for number in range(1, count + 1)]


def settings(clouds: dict[str, Cloud], more: dict[str, Any], of: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A configuration in which every cloud admits users of the home."""

    def one(cloud: Cloud) -> dict[str, Any]:
        base = f"http://127.0.0.1:{cloud.port}"
        made = {
            "auth_url": f"{base}/v3",
            "endpoints": {
                "identity": f"{base}/v3",
                "image": base,
                "compute": f"{base}/v2.1",
                "network": base,
            },
            "admits": {} if cloud.name == HOME else {HOME: {"roles": ["member", "reader"]}},
        }
        changed = {**made, **of.get(cloud.name, {})}
        return {key: value for key, value in changed.items() if value is not None}

    return {
        "local": HOME,
        "fleet_keys": [FLEET_KEY],
        "clouds": {cloud.name: one(cloud) for cloud in clouds.values()},
        **more,
    }


@asynccontextmanager
async def fleet(
    tmp_path: Path,
    clouds: list[Cloud],
    *,
    of: dict[str, dict[str, Any]] | None = None,
    **more: Any,
) -> AsyncIterator[Fleet]:
    """These clouds, serving; `of` changes the configuration of some, `more` is the rest of it."""
    by_name = {cloud.name: cloud for cloud in clouds}
    for cloud in clouds:
        await cloud.start()

    def configuration(address: str, port: int, *_: object, **__: object) -> str:
        made = settings(by_name, more, of or {})
        return json.dumps({"listeners": [{"bind": f"{address}:{port}"}], **made})

    before, wire.configuration = wire.configuration, configuration
    try:
        async with wire.rig(tmp_path) as proxy:
            yield Fleet(by_name, proxy)
    finally:
        wire.configuration = before
        for cloud in clouds:
            await cloud.stop()
