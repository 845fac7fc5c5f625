"""Two clouds with a Glance each, a user known at both, and the staging of a worker between them."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from oidproxy.clouds.registry import Cloud, Endpoint, Listener, Origin, Registry
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.errors import OidproxyError, TokenRefused
from oidproxy.identity.service import Outgoing
from oidproxy.manyclouds.staging import Staging
from oidproxy.routing.decision import Carrier, Facade, Forward, Route, Stage
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.store.sqlite import SqliteStore
from oidproxy.tokens.presented import Form, Presented
from oidproxy.upstream.pools import Upstreams
from tests.manyclouds.glance import Glance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

HERE, THERE = "edge-1", "edge-2"
"""The cloud that needs the image, and the one that has it."""

USERS = ("demo", "demo#2", "demo#3", "demo#4", "alice")

GATEWAY = Listener("127.0.0.1", 8888)


ENDED = TokenRefused("The token has expired.")


class Users:
    """Stands for identity: a user `demo` is `demo@<cloud>` at each, in project `demo-at-<cloud>`.

    `demo#2` is another token of the same user. A carried token is sent as it is.
    """

    def __init__(self) -> None:
        self.refuses: OidproxyError | None = None
        """What is said of every token from now on."""
        self.refused: list[str] = []
        self.asked: list[tuple[str, str]] = []

    async def outgoing(self, forward: Forward, method: str) -> Outgoing:
        self.asked.append((forward.route.cloud, method))
        if self.refuses is not None:
            raise self.refuses
        assert forward.token is not None
        if forward.carried is not None:
            return Outgoing(forward.carried.token, None)
        return Outgoing(f"{forward.token.token}@{forward.route.cloud}", None)

    def unaccepted(self, forward: Forward, sent: Outgoing) -> None:
        self.refused.append(forward.route.cloud)

    async def subject(self, token: Presented) -> Any:
        user, _, cloud = token.token.partition("@")
        assert (token.home, token.form) in {(cloud, Form.BARE), (HERE, Form.SEALED)}
        return SimpleNamespace(project_id=project(user, token.home))


def project(user: str, cloud: str) -> str:
    return f"{user.partition('#')[0]}-at-{cloud}"


@dataclass
class World:
    """What a test has to do with; `staging()` makes that of one more worker."""

    here: Glance
    there: Glance
    users: Users
    store: SqliteStore
    upstreams: Upstreams
    staging: Staging

    def stage(self, *images: str, user: str = "demo", carried: str = "") -> Stage:
        """`carried` is a token of the cloud that needs the images."""
        token = Presented(Form.SEALED, user, user, HERE)
        theirs = Presented(Form.BARE, carried, carried, HERE) if carried else None
        return Stage(
            Forward(route(THERE, self.there.port), token, None),
            Forward(route(HERE, self.here.port), token, None, direct=True, carried=theirs),
            images,
        )

    async def bring(self, *images: str, user: str = "demo") -> Mapping[str, str]:
        return await self.staging.bring(self.stage(*images, user=user))

    def copies(self) -> list[dict[str, Any]]:
        """The images that staging made."""
        return [image for image in self.here.images.values() if "oidproxy_source" in image]


def endpoint(cloud: str, port: int) -> Endpoint:
    return Endpoint(cloud, "image", Origin("http", "127.0.0.1", port))


def route(cloud: str, port: int) -> Route:
    facade = Facade("http", "127.0.0.1", 8888, GATEWAY)
    place = endpoint(cloud, port)
    return Route(
        "image", place, b"/v2/images", b"/v2/images", HERE, Carrier.HEADER, NO_SCOPE, NO_SCOPE, facade
    )


def registry(here: int, there: int) -> Registry:
    endpoints = {HERE: endpoint(HERE, here), THERE: endpoint(THERE, there)}
    clouds = {
        name: Cloud(name, f"http://127.0.0.1:1/{name}", position, (one,), exchange=("same",))
        for position, (name, one) in enumerate(endpoints.items())
    }
    return Registry(
        clouds=MappingProxyType(clouds),
        groups=MappingProxyType({}),
        local=HERE,
        listeners=(GATEWAY,),
        rtt=RoundTrips(),
        service_types=frozenset({"image"}),
        index=MappingProxyType({(name, "image"): (one,) for name, one in endpoints.items()}),
    )


def worker(path: Path, upstreams: Upstreams, users: Users, wait: float = 20.0) -> tuple[SqliteStore, Staging]:
    """The parts of one worker."""
    store = SqliteStore(path, clock=time.time)
    staging = Staging(
        upstreams=upstreams,
        identity=users,
        store=store,
        clock=time.time,
        pseudonym="oidproxy-test",
        wait=wait,
    )
    return store, staging


@asynccontextmanager
async def worlds(path: Path, *, wait: float = 20.0) -> AsyncIterator[World]:
    """`path` is a prepared state file."""
    here, there = (
        Glance({f"{user}@{cloud}": project(user, cloud) for user in USERS}) for cloud in (HERE, THERE)
    )
    await here.start()
    await there.start()
    upstreams = Upstreams(registry(here.port, there.port))
    users = Users()
    store, staging = worker(path, upstreams, users, wait)
    try:
        yield World(here, there, users, store, upstreams, staging)
    finally:
        await staging.close()
        await upstreams.close()
        await store.close()
        await here.stop()
        await there.stop()
