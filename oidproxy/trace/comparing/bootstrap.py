"""Bootstrap confidence intervals of differences, without drawing samples one value at a time.

A bootstrap sample of n values is n of them drawn with replacement. Its k-th smallest is the sorted value with
index floor(n · U), where U is the k-th smallest of n uniform numbers, which is distributed as Beta(k, n-k+1)
(David and Nagaraja, Order Statistics, 2.1). So a quantile of a resample takes one number drawn, and a million
requests are no slower than a hundred; the distribution is that of the plain bootstrap, not an approximation.
A share's is binomial likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """B less A, in the unit of the values."""

    a: float
    b: float
    low: float
    """The interval's ends, of `CONFIDENCE`."""
    high: float

    @property
    def value(self) -> float:
        """How much more B has."""
        return self.b - self.a

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def of_quantile(a: Array, b: Array, part: float, random: np.random.Generator) -> Difference:
    """Of a quantile (nearest rank); both are sorted and not empty."""
    drawn = _quantiles(b, part, random) - _quantiles(a, part, random)
    return _difference(float(a[_rank(len(a), part) - 1]), float(b[_rank(len(b), part) - 1]), drawn)


def of_share(a: tuple[int, int], b: tuple[int, int], random: np.random.Generator) -> Difference:
    """Of a share: each is how many of how many (over 0)."""
    first, second = a[0] / a[1], b[0] / b[1]
    drawn = random.binomial(b[1], second, RESAMPLES) / b[1] - random.binomial(a[1], first, RESAMPLES) / a[1]
    return _difference(first, second, drawn)


def _rank(count: int, part: float) -> int:
    return max(int(np.ceil(part * count)), 1)


def _quantiles(ordered: Array, part: float, random: np.random.Generator) -> Array:
    """This quantile of each resample."""
    count = len(ordered)
    rank = _rank(count, part)
    index = (random.beta(rank, count - rank + 1, RESAMPLES) * count).astype("int64")
    found: Array = ordered[np.minimum(index, count - 1)].astype("float64")
    return found


def _difference(a: float, b: float, drawn: Array) -> Difference:
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (edge, 1 - edge))
    return Difference(a, b, float(low), float(high))
