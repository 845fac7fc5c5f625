"""What a worker's process does in the tests of several processes. Spawned, so it imports this module."""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING

import uvloop

from oidproxy.routing.decision import Forward, Stage
from oidproxy.tokens.presented import Form, Presented
from oidproxy.upstream.pools import Upstreams
from tests.manyclouds.world import HERE, THERE, Users, registry, route, worker

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path


def bring(pipe: Connection, state: Path, ports: tuple[int, int], image: str) -> None:
    """Bring one image; tell its id, and how many MiB that took of memory."""
    pipe.send("begun")
    pipe.recv()
    pipe.send(uvloop.run(_bring(state, ports, image)))


async def _bring(state: Path, ports: tuple[int, int], image: str) -> tuple[str, float]:
    here, there = ports
    upstreams = Upstreams(registry(here, there))
    store, staging = worker(state, upstreams, Users(), 120.0)
    token = Presented(Form.SEALED, "demo", "demo", HERE)
    stage = Stage(
        Forward(route(THERE, there), token, None),
        Forward(route(HERE, here), token, None, direct=True),
        (image,),
    )
    before = _peak()
    ids = await staging.bring(stage)
    await staging.close()
    await upstreams.close()
    await asyncio.sleep(0)
    await store.close()
    return ids[image], _peak() - before


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
