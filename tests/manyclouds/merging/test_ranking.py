"""Keys put rows in the order that a database would."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.manyclouds.merging.collections import SortKey
from oidproxy.manyclouds.merging.ranking import Letters, Ranking, rankings

NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans())


def ordered(ranking, rows):
    columns = [list(column) for column in zip(*(values for _, values in rows), strict=True)]
    keys = ranking.keys(columns, [identity for identity, _ in rows])
    return [rows[at][0] for at in ranking.arrangement(keys)]


def test_letters_and_nulls_go_where_the_database_puts_them():
    rows = [(str(place), (value,)) for place, value in enumerate(["b", None, "A", "a_", "aB", "B", 7])]
    assert ordered(Ranking((False,)), rows) == ["1", "6", "2", "4", "3", "0", "5"]
    assert ordered(Ranking((False,), Letters.LOWER), rows) == ["1", "6", "2", "3", "4", "0", "5"]
    assert ordered(Ranking((False,), Letters.BINARY), rows) == ["1", "6", "2", "5", "4", "3", "0"]
    assert ordered(Ranking((False,), nulls_high=True), rows) == ["6", "2", "4", "3", "0", "5", "1"]
    assert ordered(Ranking((True,), ids_descending=True), rows) == ["5", "0", "3", "4", "2", "6", "1"]


def test_several_keys_each_have_their_direction():
    rows = [("1", ("a", 1)), ("2", ("a", 2)), ("3", ("b", 1)), ("4", ("ab", 1)), ("5", ("a", 2))]
    assert ordered(Ranking((False, True)), rows) == ["2", "5", "1", "4", "3"]
    assert ordered(Ranking((True, False)), rows) == ["3", "4", "1", "2", "5"]
    assert ordered(Ranking((True, False), ids_descending=True), rows) == ["3", "4", "1", "5", "2"]
    assert ordered(Ranking((True, True), ids_descending=True), rows) == ["3", "4", "5", "2", "1"]


@settings(deadline=None)
@given(st.lists(NUMBERS.filter(lambda value: abs(value) < 2**53), min_size=1))
def test_numbers_are_in_the_order_of_numbers(numbers):
    rows = [(f"{place:03}", (number,)) for place, number in enumerate(numbers)]
    expected = [f"{place:03}" for place, _ in sorted(enumerate(numbers), key=lambda one: (one[1], one[0]))]
    assert ordered(Ranking((False,)), rows) == expected


@settings(deadline=None)
@given(st.lists(NUMBERS | st.text() | st.none(), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_any_values_can_be_compared(values, down, ids):
    rows = [(str(place), (value,)) for place, value in enumerate(values)]
    for letters in Letters:
        assert len(ordered(Ranking((down,), letters, ids_descending=ids), rows)) == len(rows)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=8))
def test_descending_is_ascending_read_backwards(values):
    rows = [(f"{place:03}", value) for place, value in enumerate(values)]
    up = ordered(Ranking((False, False)), rows)
    assert ordered(Ranking((True, True), ids_descending=True), rows) == up[::-1]


def test_the_likeliest_ranking_comes_first():
    found = rankings((SortKey("created_at", "created", descending=True),))
    assert found[0] == Ranking((True,), Letters.UPPER, ids_descending=True)
    assert len(set(found)) == 12
    assert rankings(())[0] == Ranking(())
