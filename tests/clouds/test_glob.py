"""`*` stands for any run of characters and nothing else is special."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.glob import matches


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("edge-*", "edge-1", True),
        ("edge-*", "edge-", True),
        ("edge-*", "ledge-1", False),
        ("*-1", "edge-1", True),
        ("*", "", True),
        ("**", "x", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("e.ge*", "edge", False),
        ("paris", "paris", True),
        ("paris", "paris2", False),
    ],
)
def test_a_pattern_matches_the_whole_name(pattern, name, expected):
    assert matches(pattern, name) is expected


@given(st.text("ab*.", max_size=8), st.text("ab.", max_size=10))
def test_it_is_the_regular_expression_that_one_would_write(pattern, name):
    regular = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, name) == (re.fullmatch(regular, name) is not None)


def test_many_stars_do_not_make_it_slow():
    assert not matches("*a" * 200 + "*b", "a" * 10_000)
