"""What all workers found the clouds' round-trip times to be, as one, and steady: plans go by it.

The least of some minutes is what the way itself takes; anything above it is queues. What workers are told is
rounded, and changes only where it is clearly another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

WINDOW = 300.0
"""Seconds after which a way may have become longer: the least of this one and the one before counts."""

TOLD_EVERY = 10.0
"""Seconds: each time it changes, what scopes mean is worked out anew."""

ANOTHER_SHARE, ANOTHER_US = 0.25, 200
"""By so much of it, and by so many microseconds, a time has to differ to be another one."""

_DIGITS = 2
_FINEST_US = 100
"""What is nearer is in the same house."""


class Distances:
    """The parent's. Times are those of one clock, in seconds."""

    __slots__ = ("_before", "_current", "_since", "told")

    def __init__(self, now: float) -> None:
        self._before: dict[str, int] = {}
        self._current: dict[str, int] = {}
        self._since = now
        self.told: dict[str, int] = {}
        """Cloud -> microseconds, as the workers go by it."""

    def hear(self, found: Mapping[str, int], now: float) -> None:
        """Cloud -> microseconds, as a worker told it."""
        if now - self._since >= WINDOW:
            self._before, self._current, self._since = self._current, {}, now
        for cloud, time in found.items():
            self._current[cloud] = min(time, self._current.get(cloud, time))

    def changed(self, clouds: Collection[str]) -> bool:
        """Take over what is another time now, of these clouds; whether there is anything to be told."""
        heard = self._before.keys() | self._current.keys()
        told: dict[str, int] = {}
        for cloud in clouds:
            if cloud in heard:
                told[cloud] = self._steady(cloud)
            elif cloud in self.told:
                # Nothing was heard of it for long.
                told[cloud] = self.told[cloud]
        before, self.told = self.told, told
        return told != before

    def _steady(self, cloud: str) -> int:
        least = min(heard[cloud] for heard in (self._before, self._current) if cloud in heard)
        before = self.told.get(cloud)
        if before is not None and abs(least - before) <= max(ANOTHER_US, ANOTHER_SHARE * before):
            return before
        return _rounded(least)


def _rounded(time: int) -> int:
    return max(_FINEST_US, round(time, min(-len(str(_FINEST_US)) + 1, _DIGITS - len(str(time)))))
