"""Lists of a hundred simulated clouds that fail in every way: they come in time, and name who is missing.

A fleet in this process, and `oidproxy serve` with the configuration that the fleet wrote.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from tests.sim.fleet.conftest import started
from tests.wire.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oidproxy.sim.fleet.running import Fleet

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PASSWORD = "correct horse"
CLOUDS = 100
ITEMS = 3
DEADLINE = 4.0
FAULTS = (
    "dead",
    "silent",
    "slow-head, delay: 60s",
    "break, at: 50%",
    "break, at: 90%",
    "stall, at: 50%",
    "garbage",
    "nonsense",
    "status, status: 500",
    "status, status: 503",
    "status, status: 429, retry_after: 2",
)
EACH = 2
"""Clouds with each of the faults: 2 %."""
BROKEN = EACH * len(FAULTS)
SERVICES = "[image, compute, network, block-storage]"


@dataclass
class Answer:
    status: int
    fields: dict[str, str]
    document: Any
    seconds: float

    @property
    def told(self) -> tuple[int, set[str], str]:
        """What X-Scope-Clouds says: how many are ok, who failed, and what of the others."""
        found = re.fullmatch(r"ok=(\d+);failed=(.*);skipped=(.*)", self.fields["x-scope-clouds"])
        assert found, self.fields["x-scope-clouds"]
        return int(found[1]), set() if found[2] == "0" else set(found[2].split(",")), found[3]


@dataclass
class Lab:
    fleet: Fleet
    session: aiohttp.ClientSession
    path: Path
    token: str = ""

    @property
    def root(self) -> str:
        return f"http://{self.fleet.settings.gateway}"

    def calls(self) -> list[dict[str, Any]]:
        """The access log so far; it is written about twice a second."""
        time.sleep(1.0)
        log = self.fleet.settings.data / "access.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()]

    async def sign_in(self) -> None:
        user = {"name": "demo", "password": PASSWORD, "domain": {"id": "default"}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
        async with self.session.post(f"{self.root}/identity/v3/auth/tokens", json={"auth": auth}) as answer:
            assert answer.status == 201, await answer.text()
            self.token = answer.headers["X-Subject-Token"]

    async def get(self, path: str, scope: str, **fields: str) -> Answer:
        headers = {"X-Auth-Token": self.token, "X-Scope": scope}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        begin = time.monotonic()
        async with self.session.get(self.root + path, headers=headers) as answer:
            document = await answer.json(content_type=None)
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, lower, document, time.monotonic() - begin)

    async def disturb(self, text: str) -> set[str]:
        """Let the file say this; the clouds that are disturbed then."""
        weather = self.fleet.weather
        before = weather.disturbances
        self.path.write_text(text)
        async with asyncio.timeout(20):
            while weather.disturbances is before:
                await asyncio.sleep(0.02)
        await self.fleet.settle()
        return set(weather.disturbances.disturbed())


@asynccontextmanager
async def lab(folder: Path, clouds: int = CLOUDS) -> AsyncIterator[Lab]:
    """A fleet and the proxy in front of it, everybody asked once."""
    path = folder / "disturbances.yaml"
    path.write_text("")
    async with AsyncExitStack() as stack:
        gateway = f"127.{random.randrange(3, 250)}.{random.randrange(3, 250)}.{random.randrange(3, 250)}:8888"
        fleet = await started(
            stack, clouds=clouds, data=folder / "fleet", password=PASSWORD, items=ITEMS, gateway=gateway,
            disturbances=path, seed=1,
        )  # fmt: skip
        settings = fleet.settings
        config = settings.data / "oidproxy.yaml"
        limits = f"limits: {{fan_out: {DEADLINE}s, eject_for: 100ms, eject_at_most: 100ms}}\n"
        config.write_text(config.read_text() + limits)
        proxy = await stack.enter_async_context(
            served(config, "--access-log", str(settings.data / "access.jsonl"))
        )
        await proxy.hears("ready")
        session = await stack.enter_async_context(aiohttp.ClientSession())
        found = Lab(fleet, session, path)
        await found.sign_in()
        warm = await found.get("/image/v2/images?limit=1", "image:*")
        assert warm.told[:2] == (clouds, set())
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory):
    async with lab(tmp_path_factory.mktemp("hundred")) as here:
        yield here


@pytest_asyncio.fixture(loop_scope="module")
async def here(whole):
    """A hundred clouds that are well, and a user who is signed in."""
    await well(whole)
    return whole


async def well(here: Lab) -> None:
    """Nothing is disturbed any more."""
    await here.disturb("latency: 1ms")
    async with asyncio.timeout(20):
        while (await here.get("/image/v2/images?limit=1", "image:*")).told[1]:
            await asyncio.sleep(0.1)


def rules() -> str:
    written = [
        f"- {{share: {EACH / CLOUDS}, fault: {fault}{'' if fault == 'dead' else f', services: {SERVICES}'}}}"
        for fault in FAULTS
    ]
    return "rules:\n" + "\n".join(written) + "\n"


async def test_a_list_comes_by_the_deadline_and_names_whoever_fails_in_whatever_way(here):
    broken = await here.disturb(rules())
    assert len(broken) == BROKEN
    for path, name, rows in (
        ("/image/v2/images?limit=1000", "images", ITEMS),
        ("/network/v2.0/ports?limit=1000", "ports", ITEMS),
    ):
        service = path.split("/")[1]
        answer = await here.get(path, f"{service}:*")
        assert answer.status == 200, answer.document
        assert answer.told == (CLOUDS - BROKEN, broken, "0"), path
        assert answer.fields["x-scope-partial"] == "true"
        assert answer.seconds < DEADLINE + 2
        identities = [row["id"] for row in answer.document[name]]
        assert len(set(identities)) == len(identities) == (CLOUDS - BROKEN) * rows


async def test_pages_of_what_answers_are_whole_and_the_rest_comes_back(here):
    broken = await here.disturb("rules: [{share: 5%, fault: dead}, {share: 5%, fault: garbage}]")
    images = {image.id: cloud for cloud, held in here.fleet.clouds.items() for image in held.glance}
    seen: list[str] = []
    marker = ""
    while True:
        answer = await here.get(f"/image/v2/images?limit=100{marker}", "image:*")
        assert answer.told[1] == broken
        seen += [image["id"] for image in answer.document["images"]]
        if "next" not in answer.document:
            break
        marker = "&" + re.search(r"marker=[^&]*", answer.document["next"])[0]
    assert len(seen) == len(set(seen))
    assert set(seen) == {one for one, cloud in images.items() if cloud not in broken}
    await here.disturb("latency: 1ms")
    await asyncio.sleep(0.3)
    answer = await here.get("/image/v2/images?limit=1000", "image:*")
    assert answer.told == (CLOUDS, set(), "0")
    assert {image["id"] for image in answer.document["images"]} == set(images)


async def test_what_a_client_wishes_for_where_somebody_is_missing(here):
    before = await here.get("/image/v2/images?limit=1000", "image:*")
    assert len(before.document["images"]) == CLOUDS * ITEMS
    await here.disturb("rules: [{clouds: cloud-7, fault: dead}]")
    refused = await here.get("/image/v2/images", "image:*", X_Scope_On_Missing="fail")
    assert refused.status in {502, 503, 504}
    assert refused.told[1] == {"cloud-7"}
    assert (await here.get("/image/v2/images", "image:*", X_Scope_On_Missing="maybe")).status == 400


async def test_the_page_of_resources_says_of_each_row_where_it_is_from(here):
    page = "/.well-known/oidproxy/resources?resource="
    await here.disturb("rules: [{clouds: cloud-7, fault: dead}]")
    owners = {image.id: cloud for cloud, held in here.fleet.clouds.items() for image in held.glance}
    answer = await here.get(f"{page}glance/images", "image:*")
    assert answer.status == 200, answer.document
    assert set(answer.document["failed"]) == {"cloud-7"}
    shown = {row["resource"]["id"]: row["cloud"] for row in answer.document["resources"]}
    assert shown == {one: cloud for one, cloud in owners.items() if cloud != "cloud-7"}
    assert not any("oid:cloud" in row["resource"] for row in answer.document["resources"])

    first = await here.get(
        f"{page}compute/servers&query=limit%3D4", "compute:cloud-2%26cloud-3".replace("%26", "&")
    )
    assert len(first.document["resources"]) == 4
    rest = await here.get(
        f"{page}compute/servers&query=limit%3D4%26marker%3D{first.document['marker']}",
        "compute:cloud-2&cloud-3",
    )
    rows = [*first.document["resources"], *rest.document["resources"]]
    assert sorted(row["cloud"] for row in rows) == ["cloud-2"] * ITEMS + ["cloud-3"] * ITEMS
    assert all(row["resource"]["status"] for row in rows)
    assert rest.document["marker"] is None

    alone = await here.get(f"{page}volumev3/volumes", "block-storage:cloud-9")
    assert alone.status == 200, alone.document
    assert {row["cloud"] for row in alone.document["resources"]} == {"cloud-9"}
    for resource in ("image", "image/..", "image/a%2Fb", "nothing/images", "image/tasks"):
        assert (await here.get(page + resource, "image:*")).status in {400, 501}, resource
    assert (await here.get(f"{page}image/images&query=a%20b", "image:*")).status == 400
    assert (await here.get(f"{page}image/images", "image:cloud-2|cloud-3")).status == 501
    known, here.token = here.token, "unknown"
    assert (await here.get(f"{page}image/images", "image:*")).status == 401
    here.token = known


async def test_servers_of_many_clouds_do_not_ask_each_others_networks(here):
    """Each Nova asks its own Neutron about its servers, with the user's token, which names all clouds."""
    before = len(here.calls())
    for _ in range(2):
        answer = await here.get("/compute/v2.1/servers/detail?limit=1000", "compute:*")
        assert answer.status == 200, answer.document
        assert answer.told == (CLOUDS, set(), "0")
        assert len(answer.document["servers"]) == CLOUDS * ITEMS
    asked = [line for line in here.calls()[before:] if line.get("service") == "network"]
    assert {line["cloud"] for line in asked} == set(here.fleet.settings.names)
    assert len(asked) <= 2 * CLOUDS * 2


async def test_the_real_client_lists_many_clouds_and_says_who_is_missing(here, tmp_path):
    await here.disturb("rules: [{clouds: cloud-7, fault: dead}]")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment |= {
        "OS_CLIENT_CONFIG_FILE": str(here.fleet.settings.data / "clouds.yaml"),
        "OS_CLOUD": "cloud-1",
        "HOME": str(tmp_path),
    }

    async def openstack(*words: str) -> tuple[list[dict[str, str]], str]:
        client = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("openstack")), *words, "-f", "json", cwd=tmp_path,
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, wrong = await asyncio.wait_for(client.communicate(), 60)
        assert client.returncode == 0, wrong.decode()
        return json.loads(said), wrong.decode()

    rows, said = await openstack("scope", "resource", "list", "image/images", "--scope", "image:*")
    assert len(rows) == (CLOUDS - 1) * ITEMS
    assert {row["Cloud"] for row in rows} == {f"cloud-{number}" for number in range(1, CLOUDS + 1)} - {
        "cloud-7"
    }
    assert "No answer from cloud-7 (" in said
    plain, _ = await openstack("image", "list", "--scope", "image:*")
    assert sorted(row["ID"] for row in plain) == sorted(row["ID"] for row in rows)
