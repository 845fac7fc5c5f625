"""Who is compared: each writes its configuration, and is started, pinned to the proxy's core."""

from __future__ import annotations

import shutil
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import haproxy, nginx, ours
from tests.bench.layout import DIRECT_HOST, DIRECT_PORT, PROXY_HOST
from tests.bench.processes import Running, check_free, start, wait_for_port
from tests.bench.traffic import Call, in_url, marked, request, sealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.layout import Cores

LUA = Path(__file__).with_name("lua")


@dataclass(frozen=True, slots=True)
class Candidate(ABC):
    """One row of the table."""

    name: str
    title: str
    port: int
    host: str = PROXY_HOST
    routes: bool = True
    """Whether it reads scopes; else all goes to the first cloud."""

    def requests(self, calls: Sequence[Call]) -> list[bytes]:
        """The requests as they are sent to it."""
        return [request(call, token=marked(call), port=self.port, host=self.host) for call in calls]

    def start(self, folder: Path, cores: Cores) -> Running:
        """Write its configuration and start it. Raises BenchError."""
        check_free(self.host, self.port)
        running = start(self.name, self.prepare(folder), folder, [cores.proxy])
        try:
            wait_for_port(running, self.host, self.port)
        except BaseException:
            running.stop()
            raise
        return running

    @abstractmethod
    def prepare(self, folder: Path) -> list[str]:
        """Write its configuration; the command that serves it."""


class Direct(Candidate):
    """No proxy at all; its process is the upstream's, so nothing is started."""

    __slots__ = ()

    def prepare(self, folder: Path) -> list[str]:
        """Nothing."""
        raise NotImplementedError


class HAProxy(Candidate):
    """HAProxy, with one of the Lua files."""

    __slots__ = ()

    def prepare(self, folder: Path) -> list[str]:
        """Its Lua files side by side, and its configuration."""
        place = folder / self.name
        place.mkdir(exist_ok=True)
        for file in ("json.lua", f"{self.name.removeprefix('haproxy-')}.lua"):
            shutil.copy(LUA / file, place / file)
        (place / "services.lua").write_text(haproxy.services(self.port))
        path = place / "haproxy.cfg"
        path.write_text(haproxy.configuration(place, self.name.removeprefix("haproxy-"), self.port))
        return ["haproxy", "-db", "-q", "-f", str(path)]


class Nginx(Candidate):
    """nginx, with or without maps from scopes to clouds."""

    __slots__ = ()

    def prepare(self, folder: Path) -> list[str]:
        """Its configuration."""
        path = folder / f"{self.name}.conf"
        path.write_text(nginx.configuration(folder, self.port, name=self.name, maps=self.routes))
        return ["nginx", "-e", "stderr", "-c", str(path)]


@dataclass(frozen=True, slots=True)
class Ours(Candidate):
    """This proxy, with everything on."""

    workers: int = 1
    clouds: int | None = None
    """A registry of so many clouds, instead of the run's own."""
    carrier: str = ""
    """`header`, `token` or `url` where every scope comes in the same way; else one half in X-Scope, one in
    the token."""

    def requests(self, calls: Sequence[Call]) -> list[bytes]:
        """With sealed tokens."""
        if self.carrier:
            calls = [replace(call, in_header=self.carrier != "token") for call in calls]
        return [
            request(
                call,
                token=sealed(call),
                port=self.port,
                host=self.host,
                prefix=in_url(call) if self.carrier == "url" else "",
            )
            for call in calls
        ]

    def prepare(self, folder: Path) -> list[str]:
        """Its configuration."""
        place = folder / self.name
        place.mkdir(exist_ok=True)
        path = place / "oidproxy.yaml"
        path.write_text(ours.configuration(place, self.port, self.clouds))
        log = str(place / "access.jsonl")
        return [
            *[sys.executable, "-m", "oidproxy", "serve", "--config", str(path)],
            *["--workers", str(self.workers), "--access-log", log],
        ]


DIRECT = Direct("direct", "direct, no proxy", DIRECT_PORT, DIRECT_HOST, routes=False)
NGINX = Nginx("nginx", "nginx, plain `proxy_pass`", 9001, routes=False)
NGINX_MAP = Nginx("nginx-map", "nginx, `map` from scope to cloud", 9002)
LEAN = HAProxy("haproxy-lean", "HAProxy, lean Lua", 9003)
PROTOTYPE = HAProxy("haproxy-prototype", "HAProxy, the prototype's way in Lua", 9004)
OURS = Ours("oidproxy", "**oidproxy**", 9005)

CARRIERS = tuple(
    Ours(f"oidproxy-{carrier}", f"oidproxy, scope in {where}", OURS.port, carrier=carrier)
    for carrier, where in (("header", "X-Scope"), ("token", "the token"), ("url", "the URL"))
)
"""The same process as OURS, asked in one way only."""

ALL: tuple[Candidate, ...] = (DIRECT, NGINX, NGINX_MAP, LEAN, PROTOTYPE, OURS)
PROXIES: tuple[Candidate, ...] = ALL[1:]
