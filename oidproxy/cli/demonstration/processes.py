"""Commands run in the background: started, waited for until they say that they are ready, stopped."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

STOP_SECONDS = 15.0


class Background:
    """`oidproxy <arguments>` as a process of its own; what it says on stderr goes to `log`."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "oidproxy", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_ready(self, mark: str = " ready", seconds: float = 60.0) -> None:
        """Wait until it says so.

        Raises:
            ConfigError: it ended, or did not become ready in time; the message has the end of its log.
        """
        deadline = time.monotonic() + seconds
        while mark not in self._said():
            if not self.running:
                raise ConfigError(f"{self.name} ended before it was ready:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise ConfigError(f"{self.name} was not ready after {seconds:g} s:\n{self._tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, and wait for the end."""
        if self.running:
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _said(self) -> str:
        return self._log.read_text(errors="replace")

    def _tail(self) -> str:
        return "\n".join(f"  {line}" for line in self._said().splitlines()[-15:])
