"""Many server creates at once, with all the calls they cause, through one proxy with its default pools."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import aiohttp
import pytest

pytestmark = pytest.mark.slow

CREATES = 200
SCOPE = "identity:cloud-1;image:cloud-999"
PATIENCE = 120.0


async def test_200_concurrent_creates_end_well_and_wait_for_nobody(lab):
    start = lab.access_log.stat().st_size if lab.access_log.exists() else 0
    base = lab.places.gateway_url
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        token = await sign_in(session, base, lab)
        session.headers["X-Auth-Token"] = token
        image = (await show(session, f"{base}/image/v2/images?name=cirros"))["images"][0]["id"]
        flavor = (await show(session, f"{base}/compute/v2.1/flavors"))["flavors"][0]["id"]
        creates = [create(session, base, number, image, flavor) for number in range(CREATES)]
        assert Counter(await asyncio.gather(*creates)) == {202: CREATES}
        assert await settled(session, base) == {"ACTIVE": CREATES}
        await asyncio.gather(*[remove(session, base, server) for server in await servers(session, base)])
    await asyncio.sleep(1.0)  # the access log is written about twice a second
    lines = [json.loads(line) for line in lab.access_log.read_bytes()[start:].splitlines()]
    assert len(lines) > 20 * CREATES
    assert {line["status"] for line in lines if line["status"] >= 500} == set()
    assert not [line for line in lines if line.get("error") in {"overloaded", "ejected"}]


async def sign_in(session: aiohttp.ClientSession, base: str, lab) -> str:
    account, default = lab.account(), {"id": "default"}
    user = {"name": account.user, "domain": default, "password": account.password}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": account.project, "domain": default}},
        }
    }
    async with session.post(
        f"{base}/identity/v3/auth/tokens", json=body, headers={"X-Scope": SCOPE}
    ) as answer:
        assert answer.status == 201
        return answer.headers["X-Subject-Token"]


async def show(session: aiohttp.ClientSession, url: str) -> dict:
    async with session.get(url) as answer:
        assert answer.status == 200
        return await answer.json()


async def create(session: aiohttp.ClientSession, base: str, number: int, image: str, flavor: str) -> int:
    server = {"name": f"many-{number}", "imageRef": image, "flavorRef": flavor, "networks": "auto"}
    headers = {"OpenStack-API-Version": "compute 2.37"}
    async with session.post(
        f"{base}/compute/v2.1/servers", json={"server": server}, headers=headers
    ) as answer:
        await answer.read()
        return answer.status


async def servers(session: aiohttp.ClientSession, base: str) -> dict[str, str]:
    rows = (await show(session, f"{base}/compute/v2.1/servers/detail?limit=1000&name=many-"))["servers"]
    return {row["id"]: row["status"] for row in rows}


async def settled(session: aiohttp.ClientSession, base: str) -> Counter[str]:
    deadline = time.monotonic() + PATIENCE
    while True:
        found = Counter((await servers(session, base)).values())
        if set(found) <= {"ACTIVE", "ERROR"} or time.monotonic() > deadline:
            return found
        await asyncio.sleep(1.0)


async def remove(session: aiohttp.ClientSession, base: str, server: str) -> None:
    async with session.delete(f"{base}/compute/v2.1/servers/{server}") as answer:
        assert answer.status == 204
