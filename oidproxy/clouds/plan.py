"""Plans: which clouds an expression means, given a registry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class One:
    """Exactly this cloud (and region, where one was named)."""

    cloud: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """All of these; for reads a union, for writes every one."""

    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class First:
    """The first of these that serves."""

    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """`count` of these clouds."""

    count: int
    members: tuple[One, ...]


@dataclass(frozen=True, slots=True)
class Crossed:
    """One resource across these; no service has a handler for it."""

    plans: tuple[Plan, ...]


Plan = One | Every | First | Some | Crossed


def members(plan: Plan) -> tuple[One, ...]:
    """The clouds of a plan in its order, doubles counted once."""
    match plan:
        case One():
            return (plan,)
        case Some(members=found):
            return found
        case Every(plans) | First(plans) | Crossed(plans):
            return tuple(dict.fromkeys(one for part in plans for one in members(part)))
