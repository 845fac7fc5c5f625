"""The known name that a misspelt word most likely means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_COMPARED = 1000
"""Names that are looked at: anybody may send wrong ones, to a registry of ten thousand clouds."""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate with the fewest typing errors, the first of equals; None if none is near, case aside."""
    wanted = word.lower()
    best: str | None = None
    limit = min((len(wanted) + 1) // 3, 3) + 1
    left = MOST_COMPARED
    for candidate in candidates:
        if abs(len(candidate) - len(wanted)) >= limit:
            continue
        if limit == 0 or left == 0:
            break
        left -= 1
        distance = _distance(wanted, candidate.lower(), limit)
        if distance < limit:
            best, limit = candidate, distance
    return best


def _distance(one: str, other: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps between two words; `limit` if so many or more."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one):
        above, before, row = before, row, [i + 1]
        for j, right in enumerate(other):
            cost = min(before[j] + (left != right), before[j + 1] + 1, row[j] + 1)
            if i and j and left == other[j - 1] and one[i - 1] == right:
                cost = min(cost, above[j - 1] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
    return min(row[-1], limit)
