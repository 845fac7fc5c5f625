"""Many servers at once, and images larger than memory would like."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
import pytest

from oidproxy.sim.process import CloudProcess, start
from oidproxy.sim.settings import CloudSettings
from tests.sim.rig import PASSWORD, random_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

MIB = 1 << 20
VERSION = {"OpenStack-API-Version": "compute 2.96"}
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudProcess]:
    settings = CloudSettings("cloud-t", random_address(), tmp_path / "cloud", PASSWORD)
    with start(settings) as process:
        process.wait_ready()
        yield process


async def login(session: aiohttp.ClientSession, address: str) -> dict[str, str]:
    user = {"name": "demo", "password": PASSWORD, "domain": {"id": "default"}}
    auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    async with session.post(f"http://{address}:5000/v3/auth/tokens", json=auth) as answer:
        return {"X-Auth-Token": answer.headers["X-Subject-Token"]}


async def create_image(session: aiohttp.ClientSession, address: str, token: dict[str, str], data: Any) -> str:
    given = {"name": "cirros", "disk_format": "raw", "container_format": "bare"}
    async with session.post(f"http://{address}:9292/v2/images", json=given, headers=token) as answer:
        identity = str((await answer.json())["id"])
    url = f"http://{address}:9292/v2/images/{identity}/file"
    async with session.put(url, data=data, headers=token | OCTETS) as answer:
        assert answer.status == 204
    return identity


async def test_two_hundred_servers_at_once(cloud: CloudProcess) -> None:
    address = cloud.settings.address
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        token = await login(session, address)
        image = await create_image(session, address, token, b"disk" * 10_000)

        async def one(place: int) -> str:
            given = {"name": f"s{place}", "imageRef": image, "flavorRef": "1", "networks": "auto"}
            url = f"http://{address}:8774/v2.1/servers"
            async with session.post(url, json={"server": given}, headers=token | VERSION) as answer:
                assert answer.status == 202, await answer.text()
                identity = (await answer.json())["server"]["id"]
            while True:
                async with session.get(f"{url}/{identity}", headers=token | VERSION) as answer:
                    assert answer.status == 200, await answer.text()
                    status = str((await answer.json())["server"]["status"])
                if status != "BUILD":
                    return status
                await asyncio.sleep(1)

        before = psutil.Process(cloud.pid).cpu_times()
        statuses = await asyncio.gather(*(one(place) for place in range(200)))
        after = psutil.Process(cloud.pid).cpu_times()
    assert set(statuses) == {"ACTIVE"}
    assert len(cloud.downloads.read_text().splitlines()) == 200
    assert (after.user + after.system) - (before.user + before.system) < 20


async def test_a_large_image_goes_through_at_flat_memory(cloud: CloudProcess) -> None:
    address, size = cloud.settings.address, 256
    process = psutil.Process(cloud.pid)
    highest = 0

    async def watch() -> None:
        nonlocal highest
        while True:
            highest = max(highest, process.memory_info().rss)
            await asyncio.sleep(0.05)

    async def pieces() -> AsyncIterator[bytes]:
        for place in range(size):
            yield bytes([place % 251]) * MIB

    async with aiohttp.ClientSession() as session:
        token = await login(session, address)
        await create_image(session, address, token, b"warm up")
        before = process.memory_info().rss
        watching = asyncio.create_task(watch())
        image = await create_image(session, address, token, pieces())
        digest, wanted = hashlib.sha256(), hashlib.sha256()
        async with session.get(f"http://{address}:9292/v2/images/{image}/file", headers=token) as answer:
            async for piece in answer.content.iter_any():
                digest.update(piece)
        watching.cancel()
    for place in range(size):
        wanted.update(bytes([place % 251]) * MIB)
    assert digest.hexdigest() == wanted.hexdigest()
    assert highest - before < 24 * MIB
