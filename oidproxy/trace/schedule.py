"""When each request of a trace is to be sent: at its recorded time, faster or slower, once or often."""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 1_000_000_000
GAP = SECOND
"""Between the last request of one loop and the first of the next, in the trace's time."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Intended times, in nanoseconds since the replay's start."""

    speed: float = 1.0
    """2.0 sends in half the time."""
    loops: int = 1
    begins: int = 0
    """`Line.at` of the trace's first request, which is intended at 0 …"""
    ends: int = 0
    """… and of its last."""

    def intended(self, at: int, loop: int = 0) -> int:
        """When a request of the trace that came at `at` is to be sent in this loop (from 0)."""
        return int((at - self.begins + loop * (self.ends - self.begins + GAP)) / self.speed)

    @property
    def length(self) -> int:
        """When the last request of the last loop is to be sent."""
        return self.intended(self.ends, self.loops - 1)
