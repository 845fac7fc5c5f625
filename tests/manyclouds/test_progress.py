"""Who is asked, in what order, and when enough have answered: plans of every shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.plan import Every, First, One, Plan, Some, members
from oidproxy.manyclouds.progress import Fate, Progress

A, B, C, D = (One(name) for name in "abcd")
YES, NO = Fate.ANSWERED, Fate.FAILED


def walked(plan: Plan, fates: dict[One, Fate]) -> tuple[list[list[One]], list[One], frozenset[One]]:
    """Rounds of clouds asked (the news of each are told together), who was stopped, who was not needed."""
    progress = Progress(plan)
    rounds: list[list[One]] = []
    stopped: list[One] = []
    while True:
        start, stop = progress.take()
        stopped += stop
        if not start:
            return rounds, stopped, progress.surplus
        rounds.append(start)
        for one in start:
            if one not in stopped:
                progress.tell(one, fates[one])


ALL_ANSWER = dict.fromkeys((A, B, C, D), YES)


@pytest.mark.parametrize(
    ("plan", "fates", "rounds", "stopped"),
    [
        (Every((A, B, C)), {}, [[A, B, C]], []),
        (Every((A, B)), {A: NO}, [[A, B]], []),
        (First((A, B)), {}, [[A]], [B]),
        (First((A, B, C)), {A: NO}, [[A], [B]], [C]),
        (First((A, B)), {A: NO, B: NO}, [[A], [B]], []),
        (Some(2, (A, B, C)), {}, [[A, B, C]], [C]),
        (Some(2, (A, B, C)), {A: NO}, [[A, B, C]], []),
        (Every((A, First((B, C)))), {B: NO}, [[A, B], [C]], []),
        (First((Every((A, B)), C)), {A: NO}, [[A, B]], [C]),
        (First((Every((A, B)), C)), {A: NO, B: NO}, [[A, B], [C]], []),
        (First((A, Every((B, C)))), {A: NO}, [[A], [B, C]], []),
        (First((Some(1, (A, B)), C)), {}, [[A, B]], [B, C]),
        (Every((First((A, B)), First((A, C)))), {A: NO}, [[A], [B, C]], []),
        (Every((A, First((A, B)))), {}, [[A]], [B]),
        (Every((A, First((A, B)))), {A: NO}, [[A], [B]], []),
        (Every((A, First((B, A)))), {}, [[A, B]], []),
        (First((First((A, B)), C)), {A: NO, B: NO}, [[A], [B], [C]], []),
    ],
)
def test_each_plan_goes_its_way(plan, fates, rounds, stopped):
    assert walked(plan, ALL_ANSWER | fates)[:2] == (rounds, stopped)


def test_a_cloud_that_stands_twice_is_stopped_only_when_nobody_needs_it():
    progress = Progress(Every((First((A, B)), First((C, B)))))
    assert progress.take() == ([A, C], [])
    progress.tell(A, YES)
    assert progress.take() == ([], [])
    progress.tell(C, NO)
    assert progress.take() == ([B], [])


def test_only_the_first_news_of_a_cloud_counts():
    progress = Progress(First((A, B)))
    progress.take()
    progress.tell(A, YES)
    progress.tell(A, NO)
    assert progress.take() == ([], [B])


ONES = st.sampled_from([One(str(number)) for number in range(6)])
PLANS = st.recursive(
    ONES
    | st.builds(
        lambda ones: Some(max(1, len(ones) // 2), tuple(ones)), st.lists(ONES, min_size=2, unique=True)
    ),
    lambda inner: st.builds(
        lambda kind, parts: kind(tuple(parts)),
        st.sampled_from([Every, First]),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)


@given(PLANS, st.dictionaries(ONES, st.sampled_from(Fate)))
def test_every_cloud_is_asked_once_or_not_needed_and_the_end_is_reached(plan, fates):
    every = members(plan)
    fates = {one: fates.get(one, YES) for one in every}
    rounds, stopped, surplus = walked(plan, fates)
    asked = [one for each in rounds for one in each]
    assert len(asked) == len({*asked})
    assert {*asked} | surplus == {*every}
    assert {*stopped} == surplus


@given(PLANS)
def test_where_all_fail_all_are_asked(plan):
    every = members(plan)
    rounds, stopped, surplus = walked(plan, dict.fromkeys(every, NO))
    assert sorted(one.cloud for each in rounds for one in each) == sorted(one.cloud for one in every)
    assert (stopped, surplus) == ([], frozenset())
