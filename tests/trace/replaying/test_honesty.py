"""A cloud that stalls cannot slow down who measures it: what was intended in the stall is late, all of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from oidproxy.trace.results.summary import summary
from oidproxy.trace.results.table import Columns
from tests.trace.lines import MILLISECOND, line, numbered
from tests.trace.replaying.cloud import FakeCloud
from tests.trace.replaying.rig import replay

COUNT, SPACE = 300, 10 * MILLISECOND
FIRST, LAST = 50, 249
"""The stall begins with one request and ends with another's: 2 s later, if nobody waits for answers."""


def stalling(cloud):
    def arrived(_request):
        if len(cloud.asked) == FIRST + 1:
            cloud.gate.clear()
        if len(cloud.asked) == LAST + 1:
            cloud.gate.set()

    cloud.on_request = arrived


async def test_a_stall_of_two_seconds_shows_in_p99_as_it_must():
    lines = numbered([line(at=1 + n * SPACE, user=f"u{n % 5}") for n in range(COUNT)])
    cloud = FakeCloud()
    stalling(cloud)
    async with cloud.running():
        outcomes, _ = await replay(cloud, lines)
    assert [one.status for one in outcomes] == [200] * COUNT
    assert [one.intended_ns for one in outcomes] == [n * SPACE for n in range(COUNT)]
    # The answers of the stall came only after its last request was sent, which nothing held up.
    ends = outcomes[LAST].sent_ns
    for one in outcomes[FIRST : LAST + 1]:
        assert one.done_ns >= ends
        assert one.done_ns - one.intended_ns >= (LAST - one.n) * SPACE
    columns = Columns()
    columns.extend(outcomes)
    found = summary(columns.table())
    least = np.sort([(LAST - n) * SPACE for n in range(FIRST, LAST + 1)] + [0] * (COUNT - LAST - 1 + FIRST))
    assert found["latency_ms"]["p99"] >= least[int(0.99 * COUNT) - 1] / 1e6 > 1900
    assert found["latency_ms"]["p50"] >= least[COUNT // 2 - 1] / 1e6 > 400


async def test_closed_hides_most_of_it_which_is_why_it_is_not_the_default():
    lines = numbered([line(at=1 + n * SPACE) for n in range(20)])
    cloud = FakeCloud()
    seen = []

    def arrived(_request):
        seen.append(len(cloud.asked))

    cloud.on_request = arrived
    async with cloud.running():
        outcomes, _ = await replay(cloud, lines, closed=True)
    # One user has one request under way: each is intended after the one before was answered.
    for before, after in pairwise(outcomes):
        assert after.intended_ns >= before.done_ns
    assert len(seen) == 20
