"""One memcached for the token caches of all clouds, where `LAB_MEMCACHED` asks for it.

Clouds that share nothing share no cache either: this is for a test of what happens where
operators made that mistake.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from devstack.lab.addresses import require_free
from devstack.lab.processes import Background

if TYPE_CHECKING:
    from devstack.lab.layout import Lab

PORT = 11211


class Cache:
    """The server."""

    def __init__(self, lab: Lab) -> None:
        self._host = lab.infrastructure
        self.process = Background("memcached", lab.shared)
        self.wanted = bool(os.environ.get("LAB_MEMCACHED"))

    @property
    def address(self) -> str:
        """Where services find it; empty if there is none."""
        return f"{self._host}:{PORT}" if self.wanted else ""

    def start(self) -> None:
        """Start it, if it is wanted. Raises LabError."""
        if not self.wanted:
            return
        if self.process.pid is None:
            require_free([(self._host, PORT)])
        command = ["/usr/bin/memcached", "-u", "root", "-l", self._host, "-p", str(PORT), "-m", "64"]
        self.process.start(command, {"PATH": "/usr/bin:/bin"})
