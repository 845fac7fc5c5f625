"""Whose ids are forgotten where there are too many: those of whoever has more than a fair share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def share(held: Iterable[int], at_most: int) -> int:
    """The most that one may have, so that all together have `at_most` (max-min fairness).

    Whoever has less keeps all: a cloud that lists more than it has displaces nobody's ids but its own.
    """
    left = at_most
    counts = sorted(held)
    for place, count in enumerate(counts):
        equal = left // (len(counts) - place)
        if count > equal:
            return equal
        left -= count
    return at_most
