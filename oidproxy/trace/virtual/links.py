"""The ways between machines: how long a byte takes, and how many of them fit in a second."""

from __future__ import annotations

from typing import NamedTuple

UNLIMITED = 10e9 / 8
"""Bytes a second that nobody limited, for the sizes of windows only."""


class Course(NamedTuple):
    """From one site to another."""

    delay: float
    """One way, in seconds."""
    rate: float = 0.0
    """Bytes a second; 0 is no limit."""


class Link:
    """One direction between two machines, whose connections share its rate (as a class of `tc` does).

    Data (images) and everything else queue apart, as by `fq_codel`: what is small need not wait.
    """

    __slots__ = ("_free_at", "delay", "free_of_data_at", "instant", "rate", "window")

    def __init__(self, course: Course) -> None:
        self.delay = course.delay
        self.rate = course.rate
        self.instant = not course.delay and not course.rate
        """Whether everything arrives as soon as it is sent."""
        self.window = (1 << 20) + int(2 * course.delay * (course.rate or UNLIMITED))
        """Bytes that may be on their way on one connection before its sender is held."""
        self._free_at = 0.0
        self.free_of_data_at = 0.0
        """When the data that was given to it so far will have left."""

    def arrival(self, now: float, size: int) -> float:
        """When this many bytes, given to it now, have arrived."""
        if not self.rate:
            return now + self.delay
        self._free_at = max(self._free_at, now) + size / self.rate
        return self._free_at + self.delay

    def arrival_of_data(self, now: float, size: int) -> float:
        """The same for a piece of data."""
        if self.rate:
            self.free_of_data_at = now = max(self.free_of_data_at, now) + size / self.rate
        return now + self.delay
