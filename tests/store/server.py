"""A Redis server of the tests' own: found or installed, started in a folder, stopped at the end.

`python -m tests.store.server` installs it where it is missing, as `make test` does.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from devstack.lab import packages
from devstack.lab.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("redis-server", "valkey-server")
PACKAGE = "redis-server"


_HOW = f"the tests of a shared store need {PACKAGE}: run make test as root once, or install it"


def program() -> str:
    """Its path. Raises RuntimeError that says how to get it."""
    found = _found()
    if found is None:
        raise RuntimeError(_HOW)
    return found


def _found() -> str | None:
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def install() -> None:
    """Debian's package, if there is none yet, without starting a service of it."""
    if _found():
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise RuntimeError(_HOW)
    env, wait = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, ["-o", "DPkg::Lock::Timeout=300"]
    with tempfile.TemporaryDirectory() as folder, packages.no_system_services():
        log = Path(folder, "install.log")
        run(["apt-get", *wait, "update", "-qq"], log, env)
        run(["apt-get", *wait, "install", "-y", "-qq", "--no-install-recommends", PACKAGE], log, env)


class Server:
    """One that keeps nothing. `url` is where it is reached."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._socket = folder / "redis.sock"
        self._options = options
        self._folder = folder
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        """Until it answers."""
        argv = [program(), "--port", "0", "--unixsocket", str(self._socket), "--save", "", *self._options]
        with (self._folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self._folder)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError((self._folder / "redis.log").read_text())

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False

    def stop(self) -> None:
        """At once."""
        self.process.kill()
        self.process.wait()
        self._socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Answer nobody, as on a machine that hangs."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """One, until the block ends. The path of a socket must be short, so its folder is one of our own."""
    with tempfile.TemporaryDirectory(prefix="oidproxy-redis-") as folder:
        server = Server(Path(folder), *options)
        try:
            yield server
        finally:
            server.stop()


if __name__ == "__main__":
    install()
    print(program(), file=sys.stderr)
