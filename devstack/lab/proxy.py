"""A proxy of the lab: beside the clouds and in front of them, or in front of clouds left as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from devstack.lab.addresses import require_free
from devstack.lab.failure import LabError
from devstack.lab.layout import PORTS
from devstack.lab.passwords import Secrets, write_private
from devstack.lab.processes import Background
from devstack.lab.readiness import wait_answer
from devstack.lab.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from devstack.lab.layout import CloudPlace, Lab

COMMAND = (sys.executable, "-m", "oidproxy")


class Proxy:
    """`oidproxy serve`, as an operator would run it."""

    def __init__(self, lab: Lab, *, edge: bool = False) -> None:
        self._config = lab.edge_config if edge else lab.config
        self._access_log = lab.edge_access_log if edge else lab.access_log
        self.process = Background("gateway" if edge else "proxy", lab.shared)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write its configuration and secrets. A proxy that runs reads the file again by itself."""
        folder = self._config.parent
        secrets = Secrets(folder)
        kept = {
            "fleet.key": "".join(secrets.get(f"fleet-{part}") for part in range(4)),
            "admin.token": secrets.get("admin-token"),
        }
        for name, secret in kept.items():
            if not (folder / name).exists():
                write_private(folder / name, secret)
        text = yaml.safe_dump(dict(settings), sort_keys=False, width=1000)
        if not self._config.exists() or self._config.read_text() != text:
            self._config.write_text(text)

    def start(self) -> None:
        """Start it, and wait until each of its listeners serves. Raises LabError."""
        spots = tuple(self._spots())
        if self.process.pid is None:
            require_free(spots)
        arguments = ("serve", "--config", str(self._config), "--access-log", str(self._access_log))
        self.process.start((*COMMAND, *arguments), _environment())
        for host, port in spots:
            wait_answer(self.process, f"http://{host}:{port}/healthcheck")

    def cloud_config(self, place: CloudPlace) -> Surroundings:
        """What `oidproxy cloud config` says of a cloud. Raises LabError."""
        arguments = ("cloud", "config", place.name, "--config", str(self._config), "--json")
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
        told = json.loads(done.stdout)
        return Surroundings(told["auth_url"], told["files"], told["endpoints"])

    def _spots(self) -> Iterator[tuple[str, int]]:
        for listener in yaml.safe_load(self._config.read_text())["listeners"]:
            host, found, port = listener["bind"].partition(":")
            yield from ((host, int(port)),) if found else ((host, each) for each in PORTS.values())


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ}
