"""How much is measured: a whole run, or a quick one that shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass

PARTS = ("cpu", "latency", "bulk", "memory", "workers", "registry", "union", "find")
CONNECTIONS = (1, 32, 256)
MAIN = 32
"""The connections that targets are about."""

SHARE = 0.25
"""Of our saturation: the rate of the open loop."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds, seconds and sizes of a run."""

    rounds: int = 5
    seconds: int = 3
    """Of each load; CPU time is told in hundredths of a second, so less than two say little."""
    open_seconds: float = 4.0
    memory_rounds: int = 3
    """Fewer: memory repeats within a percent."""
    checked: int = 2_000
    """Requests that every candidate has to send where they belong before anything is measured."""
    body: int = 1 << 30
    bodies: int = 2
    idle: int = 10_000
    registry_rounds: int = 3
    registry_clouds: int = 10_000
    reload_seconds: float = 20.0
    unions: int = 20
    """Lists of a thousand clouds, of which the median counts."""
    whole_unions: int = 6
    """The same without a limit."""
    union_seconds: float = 6.0
    sim_clouds: int = 1_000
    """Of the simulated clouds that are listed, too."""
    index_ids: int = 10_000_000
    """In the location index."""


QUICK = Plan(
    rounds=1,
    seconds=1,
    open_seconds=1.5,
    checked=300,
    body=1 << 27,
    bodies=1,
    idle=1_000,
    registry_rounds=1,
    registry_clouds=1_000,
    reload_seconds=8.0,
    unions=4,
    whole_unions=2,
    union_seconds=2.0,
    sim_clouds=100,
    index_ids=200_000,
)
