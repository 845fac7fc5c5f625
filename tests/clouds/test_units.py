"""Durations, sizes, shares and networks as they are written."""

from __future__ import annotations

import pytest

from oidproxy.clouds import units


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10ms", 10_000),
        ("0.3ms", 300),
        ("4 ms", 4_000),
        ("1s", 1_000_000),
        ("7us", 7),
        ("0", 0),
        ("2m", 120_000_000),
    ],
)
def test_a_delay_in_microseconds(text, value):
    assert units.microseconds(text) == value


@pytest.mark.parametrize("text", ["10", "ms", "10 parsecs", "-1ms", "1e3ms", "", "10ms0"])
def test_a_delay_needs_a_unit(text):
    with pytest.raises(ValueError, match="duration"):
        units.microseconds(text)


@pytest.mark.parametrize(
    ("text", "value"), [("5s", 5.0), ("250ms", 0.25), ("2", 2.0), ("0.5", 0.5), ("6h", 21600.0)]
)
def test_a_time_in_seconds(text, value):
    assert units.seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("64KiB", 65536), ("1 MiB", 1048576), ("240", 240), ("1.5KiB", 1536), ("10kB", 10_000)],
)
def test_a_size_in_bytes(text, value):
    assert units.size(text) == value


@pytest.mark.parametrize("text", ["64KB1", "64 furlongs", "-1", "KiB"])
def test_a_size_has_a_unit_of_sizes(text):
    with pytest.raises(ValueError, match="size"):
        units.size(text)


@pytest.mark.parametrize(("text", "value"), [("0.2", 0.2), ("20%", 0.2), ("0", 0.0), ("1", 1.0)])
def test_a_share(text, value):
    assert units.share(text) == value


@pytest.mark.parametrize("text", ["1.1", "-0.1", "nan", "120%", "some"])
def test_a_share_is_from_0_to_1(text):
    with pytest.raises(ValueError, match="from 0 to 1"):
        units.share(text)


@pytest.mark.parametrize("text", ["-1", "1.0", "٣", "x", ""])
def test_a_count_is_a_whole_number(text):
    with pytest.raises(ValueError, match="whole number"):
        units.count(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("10.1.2.3/8", "10.0.0.0/8"), ("127.0.0.1", "127.0.0.1/32"), ("FE80::/10", "fe80::/10")],
)
def test_a_network_is_spelled_canonically(text, value):
    assert units.network(text) == value


def test_a_network_is_no_name():
    with pytest.raises(ValueError, match=r'a network such as "10.0.0.0/8", got \'proxy\''):
        units.network("proxy")
