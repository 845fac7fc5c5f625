"""From a plan to attempts: how many are to be made, where, and who stands in for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import Every, First, One, Plan, Some
from oidproxy.errors import NotSupported
from oidproxy.manyclouds.replicating.journal import ANY_SLOT, Attempt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


@dataclass(frozen=True, slots=True)
class Planned:
    """The attempts of a plan, nobody asked yet."""

    attempts: tuple[Attempt, ...]
    slots: int
    """How many of them are to be made."""
    lacking: tuple[str, ...] = ()
    """Clouds that cannot be asked, and without which that is not possible."""


def planned(plan: Plan, possible: Collection[str]) -> Planned:
    """What is to be made where, of the clouds that can be asked.

    Raises:
        NotSupported: the plan has an all-of among its alternatives, or one resource across clouds.
    """
    if isinstance(plan, Some):
        return _some(plan, possible)
    found: dict[str, Attempt] = {}
    lacking: list[str] = []
    slots = 0
    for alternatives in _of(plan):
        here = [one for one in alternatives if one.cloud in possible]
        if not here:
            lacking += [one.cloud for one in alternatives]
            continue
        # A cloud that stands in several places fills the first of them.
        fresh = [one for one in here if one.cloud not in found]
        for one in fresh:
            found[one.cloud] = Attempt(one.cloud, one.region, slots)
        slots += bool(fresh)
    return Planned(tuple(found.values()), slots, tuple(lacking))


def _some(plan: Some, possible: Collection[str]) -> Planned:
    here = [one for one in plan.members if one.cloud in possible]
    attempts = tuple(
        Attempt(one.cloud, one.region, place if place < plan.count else ANY_SLOT)
        for place, one in enumerate(here)
    )
    absent = tuple(one.cloud for one in plan.members if one.cloud not in possible)
    return Planned(attempts, plan.count, absent if len(here) < plan.count else ())


def _of(plan: Plan) -> Iterator[tuple[One, ...]]:
    match plan:
        case One():
            yield (plan,)
        case Every(plans):
            for part in plans:
                yield from _of(part)
        case First(plans) if all(isinstance(part, One) for part in plans):
            yield tuple(part for part in plans if isinstance(part, One))
        case Some():
            raise NotSupported("any(k, …) among other clouds cannot be written to: give it alone.")
        case _:
            raise NotSupported(
                "This scope cannot be written to: between | may stand single clouds only, and % means one "
                "resource across clouds, which no service has."
            )
