"""Runs one simulated cloud in this process until it is told to stop: listeners, data directory, seeds."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import yaml

from oidproxy.errors import ConfigError
from oidproxy.sim.blobs import PIECE, Blobs
from oidproxy.sim.cloud import Assembly, Cloud
from oidproxy.sim.connections import Connections
from oidproxy.sim.driver import Driver
from oidproxy.sim.hosting import Application, listen
from oidproxy.sim.keys import new_key
from oidproxy.sim.recording import Recorder
from oidproxy.sim.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oidproxy.sim.glance.model import Glance
    from oidproxy.sim.settings import CloudSettings


def run(settings: CloudSettings) -> int:
    """Serve until SIGTERM or SIGINT."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings))
    return 0


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, if it is there."""
    try:
        import uvloop  # noqa: PLC0415 - used if it is there
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def sources_of(settings: CloudSettings) -> Sources:
    """The clock, and randomness: the system's, or of a seed (another one for each cloud)."""
    if settings.seed is None:
        return Sources(time.time, random.SystemRandom())
    return Sources(time.time, random.Random(f"{settings.seed}/{settings.name}"))  # noqa: S311 - asked for by --seed: repeatable, not secret


async def _serve(settings: CloudSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        await start(settings, stack)
        print(
            f"oidproxy sim: {settings.name} ready on {settings.address} ({_ports(settings)})",
            file=sys.stderr,
            flush=True,
        )
        await stop.wait()


async def start(settings: CloudSettings, stack: AsyncExitStack) -> Cloud:
    """Build and serve a cloud; closing the stack stops it."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    blobs = Blobs(settings.data / "blobs")
    blobs.clear()
    (settings.data / "downloads.jsonl").unlink(missing_ok=True)
    recorder = Recorder(settings.record, settings.name) if settings.record else None
    if recorder:
        stack.callback(recorder.close)
    connections = Connections(blobs, recorder)
    stack.push_async_callback(connections.close)
    driver = Driver(connections, blobs, settings.data)
    stack.push_async_callback(driver.close)
    cloud = Assembly(settings, sources_of(settings), new_key).build()
    _import_images(cloud, blobs, settings)
    for service_type, service in cloud.services.items():
        application = Application(service, driver, blobs, recorder)
        port = settings.ports[service_type]
        try:
            runner = await listen(application.handle, settings.address, port)
        except OSError as error:
            raise ConfigError(f"{settings.address}:{port} cannot be listened on: {error.strerror}") from error
        stack.push_async_callback(runner.cleanup)
    write_clouds_yaml(settings)
    return cloud


def _ports(settings: CloudSettings) -> str:
    return ", ".join(f"{name} {port}" for name, port in settings.ports.items())


def _import_images(cloud: Cloud, blobs: Blobs, settings: CloudSettings) -> None:
    admin = cloud.keystone.projects.find(name="admin")
    for name, path in settings.images:
        _import_image(cloud.glance, blobs, admin["id"] if admin else "", name, path)


def _import_image(glance: Glance, blobs: Blobs, owner: str, name: str, path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
        disk_format = "qcow2" if head == b"QFI\xfb" else "raw"
        image = glance.create(
            owner, name=name, visibility="public", disk_format=disk_format, container_format="bare"
        )
        glance.move(image.id, "upload")
        file.seek(0)
        with blobs.writer(image.blob) as writer:
            while piece := file.read(PIECE):
                writer.write(piece)
            content = writer.content()
    glance.move(image.id, "complete", content=content)


def write_clouds_yaml(settings: CloudSettings) -> None:
    """A clouds.yaml for this cloud's users: `NAME` is demo in project demo, `NAME-admin` the
    administrator."""
    clouds = {
        settings.name: entry(settings, "demo", "demo"),
        f"{settings.name}-admin": entry(settings, "admin", "admin"),
    }
    write_private(settings.data / "clouds.yaml", yaml.safe_dump({"clouds": clouds}))


def write_private(path: Path, text: str) -> None:
    """A file that its owner alone can read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def entry(settings: CloudSettings, user: str, project: str, auth_url: str = "") -> dict[str, object]:
    """The entry of clouds.yaml of one of a cloud's users, who signs in at the cloud or at `auth_url`."""
    auth = {
        "auth_url": auth_url or settings.auth_url,
        "username": user,
        "password": settings.password,
        "project_name": project,
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    return {"auth": auth, "region_name": settings.region, "identity_api_version": "3"}
