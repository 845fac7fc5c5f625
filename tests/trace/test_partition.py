"""Parts share no user and no id that the trace makes, and whatever can be apart is spread."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.trace.partition import partition
from tests.trace.lines import line, numbered, uuid

SOME = st.lists(
    st.tuples(
        st.sampled_from(["", "u1", "u2", "u3", "u4", "u5"]),
        st.lists(st.integers(0, 9), max_size=2),
        st.lists(st.integers(0, 14), max_size=3),
    ),
    max_size=60,
)


@given(SOME, st.integers(1, 5))
def test_parts_share_nothing_and_leave_nobody_out(drawn, workers):
    made, lines = set(), []
    for user, makes, uses in drawn:
        new = [n for n in makes if n not in made]
        made.update(new)
        lines.append(line(user=user, made=list(map(uuid, new)), used=list(map(uuid, uses))))
    lines = numbered(lines)
    found = partition(lambda: lines, workers)
    assert len(found) == len(lines)
    assert all(part < workers for part in found)
    names = set(map(uuid, made))
    for one in lines:
        for other in lines:
            mine, yours = ({*x.made, *x.used} & names for x in (one, other))
            if (one.user and one.user == other.user) or mine & yours:
                assert found[one.n] == found[other.n]


def test_users_with_nothing_in_common_are_spread_evenly():
    lines = numbered([line(user=f"u{n % 8}", used=[uuid(99)]) for n in range(80)])
    counts = Counter(partition(lambda: lines, 4))
    assert counts == {0: 20, 1: 20, 2: 20, 3: 20}


def test_one_worker_does_it_all_and_too_many_are_refused():
    lines = numbered([line(), line(user="u2")])
    assert partition(lambda: lines, 1) == b"\0\0"
    with pytest.raises(ValueError, match="1 to 255"):
        partition(lambda: lines, 256)
