"""A simulated cloud served in the test's own event loop, and a small client of it."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from yarl import URL

from oidproxy.sim.running import start
from oidproxy.sim.settings import CloudSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oidproxy.sim.cloud import Cloud

PASSWORD = "correct horse"


def random_address() -> str:
    """An address of our own: all of 127/8 is loopback, so parallel runs do not meet."""
    return "127." + ".".join(str(random.randint(3, 250)) for _ in range(3))


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Rig:
    """A running cloud."""

    settings: CloudSettings
    cloud: Cloud
    session: aiohttp.ClientSession
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def url(self, service: str, path: str) -> str:
        return f"http://{self.settings.address}:{self.settings.ports[service]}{path}"

    async def ask(
        self,
        method: str,
        service: str,
        path: str,
        token: str = "",
        document: object = None,
        data: Any = None,
        **headers: str,
    ) -> Reply:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            fields["X-Auth-Token"] = token
        if document is not None:
            data = msgspec.json.encode(document)
            fields.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method,
            URL(self.url(service, path), encoded=True),
            headers=fields,
            data=data,
            allow_redirects=False,
            skip_auto_headers=["Content-Type"],
        ) as response:
            lower = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, lower, await response.read())

    async def token(self, user: str = "demo", project: str = "demo") -> str:
        key = (user, project)
        if key not in self.tokens:
            reply = await self.authenticate(user, {"project": {"name": project, "domain": {"id": "default"}}})
            assert reply.status == 201, reply.body
            self.tokens[key] = reply.headers["x-subject-token"]
        return self.tokens[key]

    async def authenticate(self, user: str, scope: object, password: str = PASSWORD) -> Reply:
        named = {"name": user, "password": password, "domain": {"id": "default"}}
        auth: dict[str, object] = {"identity": {"methods": ["password"], "password": {"user": named}}}
        if scope is not None:
            auth["scope"] = scope
        return await self.ask("POST", "identity", "/v3/auth/tokens", document={"auth": auth})

    def record(self) -> list[dict[str, Any]]:
        assert self.settings.record
        return [msgspec.json.decode(line) for line in self.settings.record.read_bytes().splitlines()]


@asynccontextmanager
async def running(directory: Path, **changes: Any) -> AsyncIterator[Rig]:
    """A cloud that is stopped at the end."""
    settings = CloudSettings(
        **{
            "name": "cloud-t",
            "address": random_address(),
            "data": directory / "cloud-t",
            "password": PASSWORD,
            "record": directory / "record.jsonl",
            **changes,
        }
    )
    async with AsyncExitStack() as stack:
        cloud = await start(settings, stack)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Rig(settings, cloud, session)
