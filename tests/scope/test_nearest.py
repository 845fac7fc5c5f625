"""Spelling suggestions."""

from __future__ import annotations

import pytest

from oidproxy.scope.nearest import MOST_COMPARED, nearest

FUNCTIONS = ("around", "nearest", "any", "not")


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("arround", "around"),
        ("aruond", "around"),
        ("roun", None),
        ("NEAREST", "nearest"),
        ("neares", "nearest"),
        ("ayn", "any"),
        ("no", "not"),
        ("a", None),
        ("", None),
        ("completely-different", None),
    ],
)
def test_few_typing_errors_are_forgiven(word, suggestion):
    assert nearest(word, FUNCTIONS) == suggestion


def test_the_nearest_wins_and_the_first_of_equals():
    assert nearest("cloud-12", ["cloud-345", "cloud-1", "cloud-2", "cloud-112"]) == "cloud-1"
    assert nearest("cloud-12", ["cloud-22", "CLOUD-12", "cloud-1"]) == "CLOUD-12"


def test_a_candidate_may_be_all_different_but_for_its_length():
    assert nearest("ab", ["cd", "ax"]) == "ax"


def test_the_work_is_bounded_however_many_candidates_there_are():
    asked = 0

    def names():
        nonlocal asked
        for number in range(1_000_000):
            asked += 1
            yield f"cloud-{number:06}"

    assert nearest("zzzzzzzzzzzz", names()) is None
    assert asked <= MOST_COMPARED + 1
