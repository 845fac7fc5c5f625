"""Intended times: the recorded ones, from the first request on, faster or slower, loop behind loop."""

from __future__ import annotations

from oidproxy.trace.schedule import GAP, SECOND, Schedule


def test_the_first_request_is_at_once_and_speed_divides():
    schedule = Schedule(speed=4.0, begins=5 * SECOND, ends=9 * SECOND)
    assert schedule.intended(5 * SECOND) == 0
    assert schedule.intended(9 * SECOND) == SECOND == schedule.length


def test_a_loop_begins_after_the_one_before():
    schedule = Schedule(loops=3, begins=SECOND, ends=3 * SECOND)
    assert schedule.intended(SECOND, 1) == 2 * SECOND + GAP
    assert schedule.length == 3 * 2 * SECOND + 2 * GAP
