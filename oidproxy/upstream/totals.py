"""What the pools count, and how they look at one moment: values for whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Totals:
    """Counts of one service of one cloud since this process began; plain integers on the hot path."""

    calls: int = 0
    opened: int = 0
    """Connections that were made."""
    reused: int = 0
    """Calls that went on a connection used before."""
    retried: int = 0
    failed: int = 0
    """Calls that ended with an error of ours, refused ones included."""
    refused: int = 0
    """Of them, those that were let no further: overload, ejection."""
    cancelled: int = 0
    ejected: int = 0
    """Times that the endpoint was ejected."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """One pool now, with the totals of its service."""

    cloud: str
    service_type: str
    origin: str
    busy: int
    users: int
    """Of `busy`, calls that are no service's."""
    idle: int
    waiting: int
    failures: int
    """Gateway failures in a row."""
    ejected_for: float
    """Seconds that the endpoint is still left alone."""
    totals: Totals
