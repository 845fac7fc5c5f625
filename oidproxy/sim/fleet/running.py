"""Runs a fleet of simulated clouds in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import sys
import time
from contextlib import AsyncExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError
from oidproxy.sim.answers import Answers
from oidproxy.sim.blobs import Blobs
from oidproxy.sim.cloud import Assembly, Cloud
from oidproxy.sim.driver import Driver
from oidproxy.sim.fleet import content, files
from oidproxy.sim.fleet.connection import Host
from oidproxy.sim.fleet.inside import InsideConnections
from oidproxy.sim.fleet.station import Station
from oidproxy.sim.fleet.weather import Weather
from oidproxy.sim.keys import new_key
from oidproxy.sim.running import loop_factory, sources_of
from oidproxy.sim.settings import PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidproxy.sim.fleet.settings import FleetSettings
    from oidproxy.sim.settings import CloudSettings

TICK = 0.25
"""Seconds between looks at the file and the schedule."""
SPARE = 1000
"""Descriptors beside those of the listening sockets: at least so many connections are for clients."""
READY = "clouds ready on"


def run(settings: FleetSettings) -> int:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the file of latencies and faults again."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings))
    return 0


async def _serve(settings: FleetSettings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    begin = time.monotonic()
    async with AsyncExitStack() as stack:
        with _collecting_nothing():
            fleet = await start(settings, stack)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, fleet.weather.expire)
        _say(
            f"oidproxy sim: {settings.clouds} {READY} {settings.network}.0.0/16 after"
            f" {time.monotonic() - begin:.1f} s; next: oidproxy serve --config {settings.data}/oidproxy.yaml"
        )
        await stop.wait()


class Fleet:
    """The clouds that run."""

    def __init__(self, settings: FleetSettings, weather: Weather) -> None:
        self.settings = settings
        self.weather = weather
        self.clouds: dict[str, Cloud] = {}
        self.stations: dict[str, Station] = {}

    async def keep_to_schedule(self) -> None:
        """Open and close stations as the rules say, for ever."""
        said = ""
        while True:
            wrong = ""
            try:
                self.weather.look()
            except (ConfigError, OSError) as error:
                wrong = f"nothing changed: {error}"
            try:
                await self.settle()
            except ConfigError as error:
                wrong = str(error)
            # The same trouble is found again at each look.
            if wrong and wrong != said:
                _say(f"oidproxy sim: {wrong}")
            said = wrong
            await asyncio.sleep(TICK)

    async def settle(self) -> None:
        """Every cloud listens unless it is dead now."""
        for name, station in self.stations.items():
            dead = self.weather.dead(name)
            if dead and station.open:
                await station.close()
            elif not dead and not station.open:
                await station.listen()

    async def close(self) -> None:
        """Stop all."""
        for station in self.stations.values():
            await station.close()


async def start(settings: FleetSettings, stack: AsyncExitStack) -> Fleet:
    """Build and serve a fleet; closing the stack stops it.

    Raises:
        ConfigError: an address is taken, a limit of the system too low, or the file cannot be used.
    """
    _raise_limit(settings.clouds * len(PORTS))
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    weather = Weather(settings)
    weather.look()
    fleet = Fleet(settings, weather)
    connections = InsideConnections(Blobs(settings.data / "blobs"))
    stack.push_async_callback(connections.close)
    stack.push_async_callback(fleet.close)
    _build(fleet, connections, stack)
    await fleet.settle()
    files.write(settings)
    keeping = asyncio.get_running_loop().create_task(fleet.keep_to_schedule())
    stack.push_async_callback(_ended, keeping)
    return fleet


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """What is made at the start stays: looking through it again and again would take most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _build(fleet: Fleet, connections: InsideConnections, stack: AsyncExitStack) -> None:
    settings = fleet.settings
    contents = content.Contents(settings.items)
    homes: list[content.Owner] = []
    for number in range(1, settings.clouds + 1):
        one = settings.cloud(number)
        blobs = content.GeneratedBlobs(one.data / "blobs")
        blobs.clear()
        cloud = Assembly(one, sources_of(one), _key).build()
        own = content.owner(cloud)
        if number <= settings.homes:
            homes.append(own)
        owners = [own] if number <= settings.homes else homes
        driver = Driver(connections, blobs, one.data)
        stack.push_async_callback(driver.close)
        content.fill(cloud, blobs, contents, owners)
        fleet.clouds[one.name] = cloud
        fleet.stations[one.name] = _station(one, cloud, driver, connections, fleet.weather)


def _station(
    settings: CloudSettings,
    cloud: Cloud,
    driver: Driver,
    connections: InsideConnections,
    weather: Weather,
) -> Station:
    answers = Answers()
    driver.stirred = answers.forget
    hosts: dict[str, Host] = {}
    for service_type, service in cloud.services.items():
        # Keystone's answers depend on the token that is asked about, too.
        if service_type != "identity":
            service.answers = answers
        connections.put(f"{settings.address}:{settings.ports[service_type]}", service, driver)
        latency, trouble = weather.of(settings.name, service_type)
        hosts[service_type] = Host(service, driver, latency, trouble, set())
    return Station(settings, hosts)


@lru_cache(maxsize=1)
def _key() -> tuple[str, str]:
    """One pair for all who bring none: making one takes longer than all else."""
    return new_key()


def _raise_limit(listening: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = listening + SPARE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigError(
            f"{wanted} descriptors are needed and {hard} allowed: raise the hard limit (ulimit -Hn), or take"
            " fewer clouds"
        )
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, wanted * 3), hard)
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
