"""Shares: all is kept where there is room, nobody with less than a share loses anything, the rest is even."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.store.fairness import share


@given(st.lists(st.integers(0, 1000), max_size=20), st.integers(0, 5000))
def test_cut_to_their_share_all_fit_and_no_larger_share_would(held, at_most):
    found = share(held, at_most)
    assert sum(min(count, found) for count in held) <= at_most
    if sum(held) > at_most:
        assert sum(min(count, found + 1) for count in held) > at_most
    else:
        assert all(count <= found for count in held)


@pytest.mark.parametrize(
    ("held", "at_most", "fair"),
    [([], 10, 10), ([10], 10, 10), ([11], 10, 10), ([1, 2, 100], 10, 7), ([50, 50], 10, 5), ([5, 5], 0, 0)],
)
def test_shares(held, at_most, fair):
    assert share(held, at_most) == fair
