"""Figures of several rounds: medians with their spread, ratios, quantiles. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as several rounds gave it."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Raises ValueError where every round was void."""
        if not values:
            raise ValueError("no round counts")
        return cls(median(values), min(values), max(values), len(values))

    def __truediv__(self, other: Figure) -> float:
        """The ratio of the medians."""
        return self.median / other.median


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    if not ordered:
        raise ValueError("a quantile of nothing")
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, min(len(ordered) - 1, int(rank) - 1))]


def order(names: Sequence[str], round_number: int) -> list[str]:
    """Who comes when: each round begins with another, so that nobody always follows the same one."""
    turn = round_number % len(names)
    return [*names[turn:], *names[:turn]]


FAIR = (4.0, 6.0)
"""What the prototype's way costs, in CPU time of the lean Lua: 5.0 when the two were measured first."""


def fairness(costs: Mapping[str, Figure]) -> tuple[float, bool] | None:
    """The ratio of both Lua candidates, and whether the copy of the prototype is a fair one."""
    lean, prototype = costs.get("haproxy-lean"), costs.get("haproxy-prototype")
    if lean is None or prototype is None:
        return None
    ratio = prototype / lean
    return ratio, FAIR[0] <= ratio <= FAIR[1]


def strayed(mean: float, expected: float, tolerance: float = 0.01) -> bool:
    """Whether answers were, on average, of another size than they should be."""
    return abs(mean - expected) > expected * tolerance


def worst_beyond(
    quiet: Sequence[float], reloading: Sequence[float], allowance: float = 0.05
) -> tuple[float, int]:
    """By how much the worst answer in a reload exceeds the worst without, and how many do so too far."""
    if not quiet or not reloading:
        raise ValueError("nothing was measured")
    bound = max(quiet)
    return max(reloading) - bound, sum(one > bound + allowance for one in reloading)
