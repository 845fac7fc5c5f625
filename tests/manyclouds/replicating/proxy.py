"""A real `oidproxy serve` in front of fake clouds, which can be killed as a power failure would."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.manyclouds.replicating.clouds import FakeCloud
from tests.manyclouds.replicating.states import InFile, OnServer
from tests.wire.rig import eventually, loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SERVICES = {
    "identity": "v3",
    "compute": "v2.1",
    "image": "v2",
    "network": "v2.0",
    "block-storage": "v3/%(project_id)s",
}
PROJECT = "project-of-demo"


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def replicas(self) -> dict[str, str]:
        pairs = self.headers.get("X-Scope-Replicas", "")
        return dict(pair.split("=", 1) for pair in pairs.split(",") if pair)

    @property
    def rows(self) -> dict[str, str]:
        return {row["cloud"]: row["outcome"] for row in self.json["clouds"]}


@dataclass
class World:
    """Clouds a, b, c …; the user demo of a, whom the others admit; one proxy process in front of them."""

    folder: Path
    clouds: dict[str, FakeCloud]
    session: aiohttp.ClientSession
    host: str
    direct: frozenset[str] = frozenset()
    """Clouds that ask their own Keystone, where the user works with an account of the operator's."""
    limits: dict[str, Any] = field(default_factory=dict)
    """Other limits than most tests have."""
    kept: OnServer | None = None
    """Where the proxy keeps its state; a file, if nothing is said."""
    config: Path = field(init=False)
    process: asyncio.subprocess.Process | None = None
    listening: asyncio.Task[None] = field(init=False)
    said: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The file."""
        return self.folder / "state.db"

    @property
    def store(self) -> InFile | OnServer:
        """Where the state is."""
        return self.kept or InFile(self.state)

    def write(self) -> None:
        self.config = self.folder / "oidproxy.yaml"
        (self.folder / "fleet.key").write_text("6b" * 64)
        home, *others = self.clouds
        accounts = {"clouds": {}}
        clouds: dict[str, Any] = {}
        for name, cloud in self.clouds.items():
            base = f"http://127.0.0.1:{cloud.port}"
            clouds[name] = {
                "auth_url": f"{base}/identity/v3",
                "endpoints": {service: f"{base}/{service}/{suffix}" for service, suffix in SERVICES.items()},
            }
            accounts["clouds"][f"operator-{name}"] = {"auth": _account(base, "operator")}
            accounts["clouds"][f"demo-at-{name}"] = {"auth": _account(base, f"demo-at-{name}")}
        for name in others:
            clouds[name]["admits"] = {home: {"roles": ["member"]}}
            if name in self.direct:
                clouds[name] |= {"exchange": ["mapped"], "mapped": {home: {PROJECT: f"demo-at-{name}"}}}
        if home in self.direct:
            clouds[home]["exchange"] = []
        (self.folder / "clouds.yaml").write_text(json.dumps(accounts))
        named = any(name in self.direct for name in others)
        self.config.write_text(
            json.dumps(
                {
                    "listeners": [{"bind": f"{self.host}:8888"}],
                    "local": home,
                    "fleet_keys": ["${file:fleet.key}"],
                    "store": self.store.url,
                    "clouds": clouds,
                    "limits": {"connect": "2s", "first_byte": "20s", "drain": "1s"} | self.limits,
                }
                | ({"clouds_yaml": "clouds.yaml"} if named else {})
            )
        )

    async def serve(self) -> None:
        self.said.clear()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "oidproxy", "serve", "--config", str(self.config)),
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self.listening = asyncio.get_running_loop().create_task(self._listen(self.process))
        with suppress(TimeoutError):
            await eventually(lambda: self._ready() or self.listening.done(), 60.0)
        assert self._ready(), self.said

    def _ready(self) -> bool:
        return any("ready" in line for line in self.said)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.said.append(line.decode().rstrip())

    def empty(self) -> None:
        """Nothing was made yet, and nothing goes wrong."""
        for cloud in self.clouds.values():
            for one in cloud.stops:
                one.released.set()
            cloud.reads = None
            for kept in (cloud.things, cloud.asked, cloud.tokens, cloud.deleted, cloud.stops, cloud.faults):
                kept.clear()
            cloud.uploaded.clear()
        self.store.empty()

    async def kill(self) -> None:
        """Parent and workers at once, without a word."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        await self._over()

    async def restart(self) -> None:
        """Serve again after a kill."""
        self.store.release_leases()
        await self.serve()

    async def stop(self) -> None:
        if self.process is not None:
            if self.process.returncode is None:
                self.process.terminate()
            await self._over()

    async def _over(self) -> None:
        assert self.process is not None
        async with asyncio.timeout(30):
            await self.process.wait()
            await self.listening
        self.process = None

    async def call(
        self,
        method: str,
        service: str,
        path: str,
        body: Any = None,
        *,
        scope: str = "*:a&b;identity:a",
        user: str = "demo",
        **headers: str,
    ) -> Answer:
        """A call of a user of the home cloud."""
        home = next(iter(self.clouds.values()))
        token = f"token-of-{user}"
        home.users.setdefault(token, (user, f"project-of-{user}"))
        fields = {"X-Auth-Token": token, "X-Scope": scope}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body
        if isinstance(body, dict | list):
            data = json.dumps(body)
            fields.setdefault("Content-Type", "application/json")
        url = f"http://{self.host}:8888/{service}{path}"
        async with self.session.request(method, url, data=data, headers=fields) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    def journal(self) -> list[dict[str, Any]]:
        """What is in the journal, read as nobody but a test would."""
        return [json.loads(value.partition(b" ")[2]) for value in self.store.journal()]

    def held(self, service: str, name: str) -> dict[str, int]:
        """Cloud -> how many of these it holds."""
        return {cloud: len(one.of(service, name)) for cloud, one in self.clouds.items()}

    async def command(self, *words: str) -> tuple[int, str]:
        """`oidproxy journal …` as the operator runs it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "oidproxy", "journal", words[0], "--config", str(self.config), *words[1:]),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()


def _account(base: str, user: str) -> dict[str, str]:
    return {
        "auth_url": f"{base}/identity/v3",
        "username": user,
        "password": "secret",
        "project_name": f"project-of-{user}",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }


@asynccontextmanager
async def worlds(
    folder: Path,
    *names: str,
    direct: tuple[str, ...] = (),
    kept: OnServer | None = None,
    **limits: Any,
) -> AsyncIterator[World]:
    clouds = {name: FakeCloud(name) for name in names}
    for cloud in clouds.values():
        await cloud.start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        world = World(folder, clouds, session, loopback(), frozenset(direct), limits, kept)
        world.write()
        try:
            await world.serve()
            yield world
        finally:
            await world.stop()
            for cloud in clouds.values():
                await cloud.stop()


async def gone(world: World, seconds: float = 40.0) -> None:
    """Until the journal is empty."""
    end = time.monotonic() + seconds
    while world.journal():
        assert time.monotonic() < end, (world.journal(), world.said)
        await asyncio.sleep(0.1)
