"""Some clouds of one service each, a scope over all of them, and what asks for an item there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING

from oidproxy.clouds.limits import Limits
from oidproxy.clouds.registry import Admission, Cloud, Endpoint, Listener, Origin, Registry
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.http.parse import request_head
from oidproxy.identity.service import Outgoing
from oidproxy.manyclouds.allowances import Allowances
from oidproxy.manyclouds.asker import Asker
from oidproxy.manyclouds.finding.find import Finding
from oidproxy.manyclouds.job import Job
from oidproxy.manyclouds.legs import Legs, Opened
from oidproxy.manyclouds.locations import Locations
from oidproxy.manyclouds.parts import Answered
from oidproxy.rewrite.links import Links
from oidproxy.routing.decide import decide
from oidproxy.routing.decision import Arrival, FanOut, Snapshot
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite_index import SqliteIndex
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.sealed import seal
from oidproxy.upstream.pools import Upstreams
from tests.upstream.service import Peer, Service

if TYPE_CHECKING:
    from pathlib import Path

    from oidproxy.errors import OidproxyError

ID = "0f4a3d2e-7b1c-4a6d-9e8f-5c2b1a0d3e4f"
OTHER = "1f4a3d2e-7b1c-4a6d-9e8f-5c2b1a0d3e4f"
GATEWAY = Listener("127.0.0.1", 8888)
HOME = "one"

parse("*")  # the first scope loads the grammar, which takes a while

Reply = Callable[["Place", Peer, str], Awaitable[None]]


def answer(status: int, document: object, *fields: str) -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [
        f"HTTP/1.1 {status} X",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


NOT_FOUND = answer(404, {"itemNotFound": {}})


@dataclass
class Place:
    """One cloud: what it answers to a path, and what it was asked."""

    name: str
    has: dict[str, bytes | Reply] = field(default_factory=dict)
    otherwise: bytes | Reply = NOT_FOUND
    delay: float = 0.0
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""
    tokens: list[str] = field(default_factory=list)

    async def __call__(self, service: Service, peer: Peer) -> None:
        while True:
            head = await peer.head()
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            self.asked.append(f"{method} {target}")
            self.tokens.append(head.partition(b"X-Auth-Token: ")[2].partition(b"\r\n")[0].decode())
            await asyncio.sleep(self.delay)
            reply = self.has.get(target.partition("?")[0], self.otherwise)
            if isinstance(reply, bytes):
                await peer.send(reply.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else reply)
            else:
                await reply(self, peer, method)


async def silent(place: Place, peer: Peer, method: str) -> None:
    await peer.rest()


async def cut(place: Place, peer: Peer, method: str) -> None:
    peer.reset()


def server(item: str = ID, **more: object) -> dict[str, object]:
    return {"server": {"id": item, "name": "vm", "links": [], **more}}


class Identity:
    """Sends tokens as they are; knows every user."""

    def __init__(self) -> None:
        self.refuses: dict[str, OidproxyError] = {}
        self.unaccepted_ones: list[str] = []
        self.user = "demo"
        self.asked = 0

    def is_service(self, token):
        return False

    def outgoing_now(self, forward, method):
        if forward.route.cloud in self.refuses:
            return None
        return Outgoing(f"for-{forward.route.cloud}", None)

    async def outgoing(self, forward, method):
        raise self.refuses[forward.route.cloud]

    def unaccepted(self, forward, sent):
        self.unaccepted_ones.append(forward.route.cloud)

    async def subject(self, token):
        self.asked += 1
        return SimpleNamespace(home=token.home, user_id=self.user, project_id="project")


class World:
    """Made by `world`."""

    def __init__(self, places: dict[str, Place], ports: dict[str, int], index: SqliteIndex) -> None:
        self.places = places
        self.limits = Limits(fan_out=5.0, eject_after=1000)
        self.registry = _registry(ports, self.limits)
        self.snapshot = Snapshot(self.registry, Keyring((b"k" * 64,)))
        self.identity = Identity()
        self.index = index
        self.locations = Locations(index)
        self.upstreams = Upstreams(self.registry)
        self.allowances = Allowances()
        self.now = 0.0
        self.finding = Finding(locations=self.locations, clock=lambda: self.now)

    def __getattr__(self, name: str) -> Place:
        return self.places[name]

    def has(self, path: str, *names: str, reply: bytes | Reply | None = None) -> None:
        """The same thing in these clouds."""
        for name in names:
            self.places[name].has[path] = reply or answer(200, server())

    def fanout(self, path: str, scope: str = "compute:*", method: str = "GET") -> tuple[FanOut, object]:
        token = seal("t" * 32, HOME, NO_SCOPE)
        lines = [f"{method} /compute{path} HTTP/1.1", "Host: 127.0.0.1:8888", f"X-Auth-Token: {token}"]
        head = request_head(("\r\n".join([*lines, f"X-Scope: {scope}", "", ""])).encode(), self.limits)
        decision = decide(head, Arrival(GATEWAY, 8888, "127.0.0.1"), self.snapshot, time.time())
        assert isinstance(decision, FanOut), decision
        return decision, head

    def job(self, path: str, scope: str = "compute:*", method: str = "GET", patience: float = 5.0) -> Job:
        fanout, head = self.fanout(path, scope, method)
        legs = Legs(
            Asker(head, "127.0.0.1", peer_trusted=False, request_id="req-1", via_depth=8),
            upstreams=self.upstreams,
            identity=self.identity,
            staging=SimpleNamespace(),
            links=lambda endpoint, facade: Links.of(self.registry, endpoint.cloud, facade),
            pseudonym="oidproxy-test",
        )
        return Job(
            fanout=fanout,
            head=head,
            legs=legs,
            registry=self.registry,
            users=self.identity,
            request_id="req-1",
            deadline=asyncio.get_running_loop().time() + patience,
            grant=self.allowances.begin("token", self.limits),
        )

    async def find(self, path: str = f"/v2.1/servers/{ID}", *args, **named) -> tuple[str, Answered]:
        """Whose answer it is, and the whole of it."""
        job = self.job(path, *args, **named)
        with job.grant:
            opened = await self.finding(job)
            assert isinstance(opened, Opened)
            whole = await read(opened)
        return whole.cloud, whole

    def asked(self) -> set[str]:
        """The clouds that were asked anything."""
        return {name for name, place in self.places.items() if place.asked}

    def forget_asked(self) -> None:
        for place in self.places.values():
            place.asked.clear()

    def learned(self, *names: str, item: str = ID) -> None:
        """These clouds were seen to hold it."""
        for name in names:
            self.locations.learn(name, "compute", [item.encode()])


class _Client:
    """Takes what is handed over."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data(self, data: bytes) -> None:
        self.got.append(data)

    def end(self) -> None:
        self.over.set_result(None)

    def failure(self, error) -> None:
        self.over.set_exception(error)


async def read(opened: Opened) -> Answered:
    """The answer to its end."""
    client = _Client()
    opened.answer.hand_over(client)
    await client.over
    return Answered(opened.leg, opened.head, b"".join(client.got), opened.forward.route, opened.ids)


@asynccontextmanager
async def world(folder: Path, *names: str):
    """Clouds of these names. The first is the home, and all others admit its users."""
    places = {name: Place(name) for name in names}
    services = {name: Service(place) for name, place in places.items()}
    for service in services.values():
        await service.begin()
    prepare(folder / "state.db")
    index = SqliteIndex(folder / "state.db", at_most=10_000)
    made = World(places, {name: service.port for name, service in services.items()}, index)
    try:
        yield made
    finally:
        await made.upstreams.close()
        await index.close()
        for service in services.values():
            await service.stop()


def _registry(ports: dict[str, int], limits: Limits) -> Registry:
    admits = MappingProxyType({HOME: Admission(roles=frozenset({"member"}))})
    clouds = {}
    for position, (name, port) in enumerate(ports.items()):
        endpoint = Endpoint(name, "compute", Origin("http", "127.0.0.1", port), suffix="/v2.1")
        cloud = Cloud(name, "http://127.0.0.1:1/v3", position, (endpoint,))
        clouds[name] = cloud if name == HOME else replace(cloud, admits=admits)
    return Registry(
        clouds=MappingProxyType(clouds),
        groups=MappingProxyType({}),
        local=HOME,
        listeners=(GATEWAY,),
        rtt=RoundTrips(),
        limits=limits,
        service_types=frozenset({"compute"}),
        index=MappingProxyType({(name, "compute"): cloud.endpoints for name, cloud in clouds.items()}),
    )
