"""The proxy of the lab: beside each cloud, and as a gateway in front of all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from devstack.lab.addresses import require_free
from devstack.lab.failure import LabError
from devstack.lab.layout import GATEWAY_PORT, PORTS
from devstack.lab.passwords import Secrets, write_private
from devstack.lab.processes import Background
from devstack.lab.readiness import wait_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstack.lab.layout import CloudPlace, Lab

COMMAND = (sys.executable, "-m", "oidproxy")


class Proxy:
    """`oidproxy serve`, as an operator would run it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.process = Background("proxy", lab.shared)

    def configure(self, clouds: Sequence[CloudPlace]) -> None:
        """Write its configuration and key. A proxy that runs reads the file again by itself."""
        secrets = Secrets(self._lab.state)
        key = self._lab.state / "fleet.key"
        if not key.exists():
            write_private(key, "".join(secrets.get(f"fleet-{part}") for part in range(4)))
        text = configuration(self._lab, clouds)
        if not self._lab.config.exists() or self._lab.config.read_text() != text:
            self._lab.config.write_text(text)

    def start(self, clouds: Sequence[CloudPlace]) -> None:
        """Start it, and wait until it serves every cloud. Raises LabError."""
        if self.process.pid is None:
            require_free(self._spots(clouds))
        arguments = ("serve", "--config", str(self._lab.config), "--access-log", str(self._lab.access_log))
        self.process.start((*COMMAND, *arguments), _environment())
        for url in (self._lab.gateway_url, *(place.beside_url("identity") for place in clouds)):
            wait_answer(self.process, f"{url}/healthcheck")

    def cloud_config(self, place: CloudPlace) -> dict[str, Any]:
        """What `oidproxy cloud config` says of a cloud. Raises LabError."""
        arguments = ("cloud", "config", place.name, "--config", str(self._lab.config), "--json")
        done = subprocess.run(  # noqa: S603 - the project's own command
            (*COMMAND, *arguments),
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise LabError(f"oidproxy {' '.join(arguments)}:\n{done.stderr}")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def _spots(self, clouds: Sequence[CloudPlace]) -> Iterator[tuple[str, int]]:
        yield self._lab.gateway, GATEWAY_PORT
        for place in clouds:
            yield from ((place.beside, port) for port in PORTS.values())


def configuration(lab: Lab, clouds: Sequence[CloudPlace]) -> str:
    """Like an operator's: clouds that admit each other's members and readers, and nobody else."""
    lines = ["listeners:", f'  - {{bind: "{lab.gateway}:{GATEWAY_PORT}"}}']
    lines += [f'  - {{bind: "{place.beside}", ports: openstack, cloud: {place.name}}}' for place in clouds]
    lines += [f"local: {clouds[0].name}", 'fleet_keys: ["${file:fleet.key}"]', "clouds:"]
    for place in clouds:
        lines += [
            f"  {place.name}:",
            f'    auth_url: "{place.url("identity")}/v3"',
            f"    upstream: {place.address}",
            f"    region: {place.region}",
            *_admits(place, clouds),
        ]
    return "\n".join(lines) + "\n"


def _admits(place: CloudPlace, clouds: Sequence[CloudPlace]) -> Iterator[str]:
    others = [other.name for other in clouds if other != place]
    if others:
        yield "    admits:"
    for other in others:
        yield f"      {other}:"
        yield "        roles: [member, reader]"
        yield "        services: [{user: nova, project: service}, {user: cinder, project: service}]"


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ}
