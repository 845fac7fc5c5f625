"""Small fleets in the test's own event loop, and a client that sees what a proxy would see of them."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from oidproxy.errors import ConfigError
from oidproxy.sim.fleet.running import Fleet, start
from oidproxy.sim.fleet.settings import FleetSettings
from oidproxy.sim.settings import PORTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

PASSWORD = "correct horse"


@dataclass
class Reply:
    status: int
    fields: dict[str, str]
    body: bytes
    whole: bool
    """Whether there was as much as was announced."""

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Rig:
    """A running fleet."""

    fleet: Fleet
    tokens: dict[tuple[int, str], str] = field(default_factory=dict)

    def address(self, number: int) -> str:
        return self.fleet.settings.cloud(number).address

    async def connect(self, number: int, service: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.address(number), PORTS[service])

    async def raw(self, number: int, service: str, data: bytes, patience: float = 5.0) -> bytes:
        """What comes back for these bytes until the connection ends."""
        reader, writer = await self.connect(number, service)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), patience)
        finally:
            writer.close()

    async def ask(
        self,
        number: int,
        service: str,
        path: str,
        *,
        method: str = "GET",
        token: str = "",
        document: object = None,
        body: bytes = b"",
        patience: float = 5.0,
        **fields: str,
    ) -> Reply:
        """One request on a connection of its own."""
        if document is not None:
            body = msgspec.json.encode(document)
            fields.setdefault("Content_Type", "application/json")
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.address(number)}:{PORTS[service]}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        lines += [f"X-Auth-Token: {token}"] if token else []
        lines += [f"Content-Length: {len(body)}", "Connection: close"]
        data = await self.raw(number, service, "\r\n".join(lines).encode() + b"\r\n\r\n" + body, patience)
        return parsed(data, head_only=method == "HEAD")

    async def token(self, number: int, user: str = "demo") -> str:
        if (number, user) not in self.tokens:
            named = {"name": user, "password": PASSWORD, "domain": {"id": "default"}}
            auth = {"identity": {"methods": ["password"], "password": {"user": named}}}
            answer = await self.ask(
                number, "identity", "/v3/auth/tokens", method="POST", document={"auth": auth}
            )
            assert answer.status == 201, answer.body
            self.tokens[number, user] = answer.fields["x-subject-token"]
        return self.tokens[number, user]

    async def get(self, number: int, service: str, path: str, user: str = "demo", **fields: str) -> Reply:
        return await self.ask(number, service, path, token=await self.token(number, user), **fields)


def parsed(data: bytes, *, head_only: bool = False) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    announced = int(fields.get("content-length", "0"))
    return Reply(int(lines[0].split()[1]), fields, body, head_only or len(body) == announced)


async def started(stack: AsyncExitStack, **chosen: Any) -> Fleet:
    """A fleet in a network that nobody else uses just now, unless it is told which one is its."""
    networks = random.sample(range(20, 250), 5)
    for number in networks:
        settings = FleetSettings(**{"network": f"127.{number}", **chosen})
        async with AsyncExitStack() as own:
            try:
                found = await start(settings, own)
            except ConfigError as error:
                if "in use" not in str(error) or "network" in chosen or number == networks[-1]:
                    raise
                continue
            await stack.enter_async_context(own.pop_all())
            return found
    raise AssertionError("unreachable")


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Rig]]]:
    """Starts fleets without a proxy, each in a network of its own."""
    async with AsyncExitStack() as stack:

        async def begin(clouds: int = 3, **changes: Any) -> Rig:
            chosen = {
                "clouds": clouds,
                "data": tmp_path / "fleet",
                "password": PASSWORD,
                "items": 4,
                "beside": False,
                "seed": 1,
                **changes,
            }
            return Rig(await started(stack, **chosen))

        yield begin
