"""The latencies and faults in force now: the file as it was last read, and the time since then."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from oidproxy.sim.fleet.disturbances import CALM, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.sim.fleet.disturbances import Trouble
    from oidproxy.sim.fleet.settings import FleetSettings


class Weather:
    """What the clouds of a fleet are told when they answer."""

    def __init__(self, settings: FleetSettings) -> None:
        self._settings = settings
        self._seen: tuple[int, int] | None = None
        self._begin = time.monotonic()
        self.disturbances = CALM

    def expire(self) -> None:
        """Read the file again at the next look, changed or not: its schedule begins anew."""
        self._seen = None

    def look(self) -> None:
        """Read the file if it is another one than before.

        Raises:
            ConfigError: it cannot be used; what was in force stays.
            OSError: it cannot be read.
        """
        path = self._settings.disturbances
        if path is None:
            return
        status = path.stat()
        found = status.st_mtime_ns, status.st_size
        if found == self._seen:
            return
        self._seen = found
        self.disturbances = read(path, self._settings.names, self._settings.home_names)
        self._begin = time.monotonic()

    def dead(self, cloud: str) -> bool:
        """Whether nothing listens there now."""
        return self.disturbances.dead(cloud, self._elapsed())

    def of(self, cloud: str, service_type: str) -> tuple[Callable[[], float], Callable[[], Trouble | None]]:
        """What one service of a cloud asks at each answer: its latency, and its trouble."""
        return (
            lambda: self.disturbances.latency(cloud),
            lambda: self.disturbances.trouble(cloud, service_type, self._elapsed(), random.random),
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self._begin
