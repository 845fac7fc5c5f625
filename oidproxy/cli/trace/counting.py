"""How far a long command is, on a terminal; nothing anywhere else."""

from __future__ import annotations

import sys
import time

PAUSE = 0.2
"""Seconds between two words."""


class Counting:
    """`what` with a number in front of it: `1,250,000 lines read, 75,000 a second`."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shows = sys.stderr.isatty()
        self._began = self._told = time.monotonic()

    def __call__(self, count: int) -> None:
        """So many so far."""
        now = time.monotonic()
        if not self._shows or now - self._told < PAUSE:
            return
        self._told = now
        rate = count / (now - self._began)
        print(f"\r{count:,} {self._what}, {rate:,.0f} a second\033[K", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line as it was."""
        if self._shows:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
