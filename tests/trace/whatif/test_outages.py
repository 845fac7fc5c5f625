"""`--outage`: which clouds are down, from when to when, and how."""

from __future__ import annotations

import pytest

from oidproxy.errors import ConfigError
from oidproxy.trace.whatif.durations import seconds
from oidproxy.trace.whatif.outages import Manner, Outage, outages

CLOUDS = ("cloud-1", "cloud-7", "odd@name")
GROUPS = {"fr": ("cloud-1", "cloud-7")}


def test_a_cloud_is_down_from_one_time_to_another():
    assert outages("cloud-7@10m..20m", CLOUDS, GROUPS) == (Outage("cloud-7", 600.0, 1200.0),)
    assert outages("odd@name@0..1h30m", CLOUDS, GROUPS)[0] == Outage("odd@name", 0.0, 5400.0)


def test_a_group_is_all_of_its_clouds_and_silence_is_asked_for():
    found = outages("@fr@1s..250.5s:silent", CLOUDS, GROUPS)
    assert found == tuple(Outage(name, 1.0, 250.5, Manner.SILENT) for name in GROUPS["fr"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cloud-7", "an outage is CLOUD@FROM..TO"),
        ("cloud-7@10m", "an outage is"),
        ("cloud-8@1m..2m", "did you mean cloud-[17]"),
        ("@de@1m..2m", "no group is called 'de'"),
        ("cloud-7@2m..1m", "end before it begins"),
        ("cloud-7@2x..3m", "expected a duration"),
        ("cloud-7@1m..2m:loud", "refused or silent"),
    ],
)
def test_what_is_no_outage_is_refused(text, said):
    with pytest.raises(ConfigError, match=said):
        outages(text, CLOUDS, GROUPS)


def test_durations_have_units_and_add_up():
    assert seconds("1h30m") == 5400
    assert seconds("250ms") == 0.25
    assert seconds("1d2h3m4s") == 93784
    assert seconds("12.5") == 12.5
    for text in ("", "m", "1h30", "-1s", "1 h"):
        with pytest.raises(ValueError, match="expected a duration"):
            seconds(text)
