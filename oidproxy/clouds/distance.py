"""How far clouds are from a place: from one cloud, or from whichever cloud of a group is nearest."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry

Distance = Callable[[str], int]
"""Cloud -> round-trip time in microseconds."""

Kind = tuple[str, tuple[str, ...], int | None]


def from_cloud(registry: Registry, start: str) -> Distance:
    """The distance from one cloud."""
    return lambda cloud: registry.round_trip_us(start, cloud)


def from_group(registry: Registry, group: str, spend: Callable[[int], None]) -> Distance:
    """The distance from the nearest cloud of a group; its own clouds are no way from it.

    Clouds without entries of their own differ in their groups alone, and in what was measured, which is
    rounded: so thousands of them cost as much as a few. `spend` is told how many pairs are compared, and may
    raise.
    """
    inside = frozenset(registry.groups[group])
    kind = _kinds(registry)
    starts = {kind(name): name for name in registry.groups[group]}.values()
    known: dict[Kind, int] = {}

    def distance(cloud: str) -> int:
        if cloud in inside:
            return 0
        own = kind(cloud)
        if own not in known:
            spend(len(starts))
            known[own] = min(registry.round_trip_us(start, cloud) for start in starts)
        return known[own]

    return distance


def _kinds(registry: Registry) -> Callable[[str], Kind]:
    """Clouds of one kind are equally far from everything but themselves."""
    named = frozenset(chain.from_iterable(registry.rtt.one_way_us))
    special = named | registry.rtt.excepted | (registry.rtt.only or frozenset())
    measured = registry.rtt.measured
    return lambda name: (
        name if name in special else "",
        registry.clouds[name].groups,
        measured.get(name),
    )
