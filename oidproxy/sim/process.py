"""Starts a simulated cloud as a process of its own, waits until it serves, and stops it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

from oidproxy.errors import OidproxyError
from oidproxy.sim.settings import PASSWORD_VARIABLE, PORTS

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from oidproxy.sim.settings import CloudSettings

READY = "ready on"
COMMAND = "import sys; from oidproxy.cli.main import main; sys.exit(main())"


class SimulationError(OidproxyError):
    """A simulated cloud did not start."""

    code = "sim"


class CloudProcess:
    """A running simulated cloud. As a context manager it is stopped at the end."""

    def __init__(self, settings: CloudSettings, process: subprocess.Popen[bytes], log: Path) -> None:
        self.settings = settings
        self._process = process
        self.log = log
        """What it wrote on stderr."""

    @property
    def name(self) -> str:
        """The cloud's name."""
        return self.settings.name

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def downloads(self) -> Path:
        """The journal of image data that its Nova and Cinder read: JSON lines."""
        return self.settings.data / "downloads.jsonl"

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return when it serves; SimulationError with its last words when it ends or takes too long."""
        deadline = time.monotonic() + timeout
        while f"oidproxy sim: {self.name} {READY}" not in self._text():
            if not self.alive or time.monotonic() > deadline:
                self.stop()
                raise SimulationError(
                    f"the simulated cloud {self.name} did not start: {self._text()[-2000:]}"
                )
            time.sleep(0.02)

    def _text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def stop(self, timeout: float = 10.0) -> int:
        """Ask it to stop, and make it when it does not; its exit status."""
        if self.alive:
            self._process.terminate()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


def start(settings: CloudSettings) -> CloudProcess:
    """Start a cloud; it serves once `wait_ready` returns. The password goes by environment, not on the
    command line."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = settings.data / "sim.log"
    environment = {**os.environ, PASSWORD_VARIABLE: settings.password}
    with log.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-c", COMMAND, "sim", *arguments(settings)],
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            env=environment,
        )
    return CloudProcess(settings, process, log)


def arguments(settings: CloudSettings) -> list[str]:
    """The command line that means these settings."""
    changed = ",".join(f"{name}={port}" for name, port in settings.ports.items() if port != PORTS[name])
    options = {
        "--name": settings.name,
        "--address": settings.address,
        "--data": str(settings.data),
        "--proxy": settings.proxy,
        "--region": settings.region,
        "--ports": changed,
        "--record": str(settings.record or ""),
        "--seed": "" if settings.seed is None else str(settings.seed),
        "--token-lifetime": str(settings.token_lifetime),
        "--token-cache-time": str(settings.token_cache_time),
    }
    found = [word for name, value in options.items() if value for word in (name, value)]
    for name, path in settings.images:
        found += ["--image", f"{name}={path}"]
    return found
