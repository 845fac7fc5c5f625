"""Medians, quantiles, turns, and when the prototype's copy is a fair one."""

from __future__ import annotations

import pytest

from tests.bench.figures import Figure, fairness, order, quantile, strayed, worst_beyond


def test_a_figure_is_the_median_and_its_spread():
    figure = Figure.of([5.0, 1.0, 3.0, 2.0, 9.0])
    assert (figure.median, figure.low, figure.high, figure.rounds) == (3.0, 1.0, 9.0, 5)


def test_where_every_round_was_void_there_is_no_figure():
    with pytest.raises(ValueError, match="no round"):
        Figure.of([])


def test_ratios_are_those_of_medians():
    assert Figure.of([1.0, 2.0, 30.0]) / Figure.of([4.0]) == 0.5


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100), (0.0, 1)])
def test_quantiles_are_values_that_were_measured(share, expected):
    assert quantile(range(1, 101), share) == expected


def test_each_round_begins_with_another():
    names = ["a", "b", "c"]
    rounds = [order(names, number) for number in range(3)]
    assert rounds == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]
    assert all(sorted(one) == names for one in rounds)


@pytest.mark.parametrize(("prototype", "fair"), [(39.9, False), (40.0, True), (60.0, True), (60.1, False)])
def test_the_prototypes_copy_costs_four_to_six_times_the_lean_lua(prototype, fair):
    costs = {"haproxy-lean": Figure.of([10.0]), "haproxy-prototype": Figure.of([prototype])}
    assert fairness(costs) == (pytest.approx(prototype / 10), fair)


def test_nothing_is_said_of_fairness_without_both():
    assert fairness({"haproxy-lean": Figure.of([10.0])}) is None


@pytest.mark.parametrize(("mean", "far"), [(1000, False), (1009, False), (989, True), (1011, True)])
def test_answers_that_are_shorter_or_longer_than_they_should_be_are_noticed(mean, far):
    assert strayed(mean, 1000) is far


def test_a_reload_is_compared_with_the_worst_of_the_same_run_without():
    beyond, late = worst_beyond([0.001, 0.020], [0.002, 0.030, 0.0701])
    assert (beyond, late) == (pytest.approx(0.0501), 1)
    assert worst_beyond([0.020], [0.0699])[1] == 0
