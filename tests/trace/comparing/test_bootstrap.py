"""The quick bootstrap is the plain one: the same intervals, but drawn at once."""

from __future__ import annotations

import numpy as np
import pytest

from oidproxy.trace.comparing import bootstrap
from oidproxy.trace.comparing.bootstrap import of_quantile, of_share


def plain(values, part, random, count=4000):
    rank = max(int(np.ceil(part * len(values))), 1)
    drawn = np.sort(random.choice(values, (count, len(values))), axis=1)
    return drawn[:, rank - 1]


@pytest.mark.parametrize("part", [0.5, 0.95])
def test_quantiles_of_resamples_are_distributed_as_those_of_samples_drawn_one_by_one(part):
    values = np.sort(np.random.default_rng(1).lognormal(3, 0.7, 201))
    quick = bootstrap._quantiles(values, part, np.random.default_rng(2))
    slow = plain(values, part, np.random.default_rng(3))
    for at in (0.025, 0.25, 0.5, 0.75, 0.975):
        ranks = [np.searchsorted(values, np.quantile(one, at)) for one in (quick, slow)]
        assert abs(ranks[0] - ranks[1]) <= 3, at


def test_a_difference_that_is_there_is_shown_and_none_is_not():
    random = np.random.default_rng(4)
    a, b, same = (np.sort(random.normal(mean, 5, 2000)) for mean in (100, 103, 100))
    found = of_quantile(a, b, 0.5, np.random.default_rng(1))
    assert found.shown
    assert found.low < 3 < found.high
    assert not of_quantile(a, same, 0.5, np.random.default_rng(1)).shown


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(5)
    held = 0
    for _ in range(300):
        a, b = (np.sort(random.exponential(10, 150)) for _ in range(2))
        held += not of_quantile(a, b, 0.5, random).shown
    assert 0.90 <= held / 300 <= 0.99


def test_shares():
    random = np.random.default_rng(6)
    assert of_share((10, 1000), (60, 1000), random).shown
    assert not of_share((10, 1000), (12, 1000), random).shown
    nothing = of_share((0, 10), (0, 10), random)
    assert (nothing.value, nothing.low, nothing.high, nothing.shown) == (0, 0, 0, False)


def test_one_value_each_is_no_error():
    one = of_quantile(np.array([1.0]), np.array([2.0]), 0.99, np.random.default_rng(7))
    assert (one.a, one.b, one.low, one.high) == (1, 2, 1, 1)
