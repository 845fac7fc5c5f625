"""Where a simulated cloud gets time and randomness from: injected, so that a run can be repeated."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


@dataclass(frozen=True, slots=True)
class Sources:
    """A clock and a generator of random numbers."""

    now: Callable[[], float]
    """Seconds since the epoch."""
    random: Random

    def uuid(self) -> str:
        """An id as Glance, Nova, Neutron and Cinder write them."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def hex(self) -> str:
        """An id as Keystone writes them."""
        return f"{self.random.getrandbits(128):032x}"

    def octets(self, count: int) -> bytes:
        """Random bytes."""
        return self.random.randbytes(count)

    def request_id(self) -> str:
        """The id of one request at one service."""
        return f"req-{self.uuid()}"
