"""Round-trip times, and ENOSlib's dictionary that they are read from."""

from __future__ import annotations

import pytest

from oidproxy.clouds.rtt import RoundTrips

DELAYS = RoundTrips(
    1_000,
    {
        ("a", "b"): 5_000,
        ("b", "a"): 7_000,
        ("a", "east"): 20_000,
        ("west", "b"): 30_000,
        ("west", "east"): 40_000,
    },
)


@pytest.mark.parametrize(
    ("a", "b", "a_groups", "b_groups", "expected"),
    [
        ("a", "b", (), (), 12_000),
        ("b", "a", (), (), 12_000),
        ("a", "b", ("west",), ("east",), 12_000),
        ("a", "c", (), ("east",), 21_000),
        ("a", "c", ("west",), ("east",), 21_000),
        ("c", "b", ("west",), ("east",), 31_000),
        ("c", "d", ("west",), ("east",), 41_000),
        ("c", "d", ("north", "west"), ("east",), 41_000),
        ("c", "d", (), (), 2_000),
        ("a", "a", ("west",), ("west",), 0),
    ],
)
def test_a_round_trip_is_there_and_back_and_the_more_particular_entry_wins(
    a, b, a_groups, b_groups, expected
):
    assert DELAYS.round_trip_us(a, b, a_groups, b_groups) == expected


def test_the_first_group_declared_wins():
    delays = RoundTrips(0, {("x", "b"): 1, ("y", "b"): 2})
    assert delays.round_trip_us("a", "b", ("x", "y")) == 1
    assert delays.round_trip_us("a", "b", ("y", "x")) == 2


CLOUDS = """
local: paris
clouds:
  paris: {upstream: 127.0.9.1, groups: [grp1]}
  londres: {upstream: 127.0.9.2, groups: [grp2]}
  berlin: {upstream: 127.0.9.3, groups: [grp2]}
  rennes: {upstream: 127.0.9.4}
"""


def trips(loaded, rtt):
    registry = loaded(f"{CLOUDS}rtt: {rtt}").registry
    pairs = [("paris", "londres"), ("londres", "berlin"), ("paris", "rennes")]
    return [registry.round_trip_us(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("rtt", "expected"),
    [
        ("{default_delay: 20ms, default_rate: 1gbit}", [40_000, 40_000, 40_000]),
        (
            (
                "{default_delay: 20ms, default_rate: 1gbit, except: [], "
                "constraints: [{src: paris, dst: londres, symetric: true, delay: 10ms}]}"
            ),
            [20_000, 40_000, 40_000],
        ),
        (
            (
                "{enable: true, default_delay: 0.3ms, default_rate: 1gbit, default_loss: 0.1%, "
                "constraints: [{src: paris, dst: londres, delay: 10ms, rate: 10mbit, loss: 1%, network: n}]}"
            ),
            [10_300, 600, 600],
        ),
        ("{default_delay: 20ms, except: grp2}", [0, 0, 40_000]),
        ("{default_delay: 20ms, groups: [paris, grp2]}", [40_000, 40_000, 0]),
        (
            (
                "{default_delay: 20ms, groups: ['grp[1-2]'], "
                "constraints: [{src: 'grp[1-2]', dst: rennes, delay: 1ms, symmetric: true}]}"
            ),
            [40_000, 40_000, 2_000],
        ),
        (
            "{default_delay: 20ms, constraints: [{src: grp1, dst: grp2, rate: 1kbit}]}",
            [40_000, 40_000, 40_000],
        ),
        (
            (
                "{default_delay: 1ms, constraints: [{src: grp1, dst: grp2, delay: 9ms}, "
                "{src: grp1, dst: grp2, delay: 3ms}]}"
            ),
            [4_000, 2_000, 2_000],
        ),
        ("{enable: false, default_delay: 20ms}", [0, 0, 0]),
        ("{}", [0, 0, 0]),
    ],
)
def test_enoslibs_dictionary_is_taken_unchanged(rtt, expected, loaded):
    assert trips(loaded, rtt) == expected


def test_no_rtt_is_no_distance(loaded):
    assert loaded(CLOUDS).registry.round_trip_us("paris", "londres") == 0
