"""A further proxy in front of the lab's clouds, with state of its own, that a test may kill.

It belongs to the same fleet, so what it closes the lab's proxy opens. Between it and the services may stand
relays, which stop requests where a test wants them.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from devstack.lab.layout import GATEWAY_PORT
from devstack.lab.passwords import write_private
from devstack.lab.processes import Background, stop
from devstack.lab.readiness import wait_answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from devstack.lab.layout import Lab

PROGRAM = (sys.executable, "-m", "oidproxy")
GUEST = "edge-2"
"""A third cloud, which knows of no proxy: users of cloud-1 are an account of the operator's there."""
ENTRY = "edge-2-for-demo"

LIMITS = {
    "fan_out": "60s",
    "connect": "10s",
    # What fails here fails by a test's will, and is well again at once.
    "eject_after": 1_000_000,
    "drain": "1s",
}


class Spare:
    """`oidproxy serve` at `host`. `upstreams`: cloud -> address of a relay in front of its services."""

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        host: str,
        *,
        project: str,
        upstreams: Mapping[str, str] = {},
        limits: Mapping[str, Any] = {},
    ) -> None:
        """`project`: whose users are at GUEST the account that the lab's gateway has there."""
        self.url = f"http://{host}:{GATEWAY_PORT}"
        self.state = folder / "state.db"
        self._config = folder / "oidproxy.yaml"
        self._process = Background("spare", folder)
        settings = yaml.safe_load(lab.config.read_text())
        clouds: dict[str, Any] = settings["clouds"]
        guests = yaml.safe_load(lab.edge_config.read_text())["clouds"]
        clouds[GUEST] = {
            **guests[GUEST],
            "mapped": {"cloud-1": {project: ENTRY}},
            "admits": {"cloud-1": copy.deepcopy(guests[GUEST]["admits"]["edge-1"])},
        }
        for name, address in upstreams.items():
            clouds[name]["upstream"] = address
        written = {
            "listeners": [{"bind": f"{host}:{GATEWAY_PORT}"}],
            "local": "cloud-1",
            "fleet_keys": [f"${{file:{lab.state / 'fleet.key'}}}"],
            "clouds_yaml": "clouds.yaml",
            "store": f"sqlite:///{self.state}",
            "limits": {**LIMITS, **limits},
            "clouds": clouds,
        }
        self._config.write_text(yaml.safe_dump(written, sort_keys=False))
        for name in ("clouds.yaml", "secure.yaml"):
            # An entry that nobody names would be a cloud of its own.
            entries = json.loads((lab.edge_folder / name).read_text())["clouds"]
            write_private(folder / name, json.dumps({"clouds": {ENTRY: entries[ENTRY]}}))

    def start(self) -> None:
        """Raises LabError with the end of its log."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._process.start((*PROGRAM, "serve", "--workers", "1", "--config", str(self._config)), kept)
        wait_answer(self._process, f"{self.url}/healthcheck")

    def stop(self) -> None:
        stop([self._process])

    def kill(self) -> None:
        """Parent and workers at once, without a word."""
        pid = self._process.pid
        assert pid is not None, self.log()
        os.killpg(pid, signal.SIGKILL)
        # It was started by this very process, which alone can say that it is over.
        os.waitpid(pid, 0)
        self._process.record.unlink()

    def restart(self) -> None:
        """Serve again after a kill, as if half a minute had passed: so long its leases last."""
        self.release_leases()
        self.start()

    def release_leases(self) -> None:
        state = sqlite3.connect(self.state, timeout=10.0)
        with state:
            state.execute("DELETE FROM lease")
        state.close()

    def log(self) -> str:
        return self._process.log.read_text(errors="replace")

    def journal(self, *words: str) -> tuple[int, str]:
        """`oidproxy journal …` as the operator runs it; its status, and what it says."""
        command = [*PROGRAM, "journal", words[0], "--config", str(self._config), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def left(self) -> list[dict[str, Any]]:
        """What the journal holds, as `oidproxy journal list` tells programs."""
        status, said = self.journal("list", "--json")
        assert status == 0, said
        found: list[dict[str, Any]] = json.loads(said)
        return found

    def intents(self) -> dict[str, dict[str, str]]:
        """Intent -> cloud -> how far it has come there, read as nobody but a test would."""
        state = sqlite3.connect(self.state, timeout=10.0)
        try:
            values = state.execute("SELECT value FROM entry WHERE key LIKE 'journal/%'").fetchall()
        finally:
            state.close()
        found = [json.loads(bytes(value).partition(b" ")[2]) for (value,) in values]
        return {one["id"]: {each["cloud"]: each["state"] for each in one["attempts"]} for one in found}
