"""ENOSlib's and ENOS's files, unchanged."""

from __future__ import annotations

import json

import pytest

from oidproxy.errors import ConfigError
from oidproxy.trace.whatif.delays import distances, names_in, read_keys

ENOSLIB = {
    "default_delay": "20ms",
    "default_rate": "1gbit",
    "constraints": [{"src": "paris", "dst": "londres", "symmetric": True, "delay": "10ms"}],
}
ENOS = """
provider: g5k
resources:
  paravance: {compute: 2}
network_constraints:
  enable: true
  default_delay: 25ms
  default_rate: 100mbit
  default_loss: 0.1%
  constraints:
    - src: grp[1-2]
      dst: grp3
      delay: 10ms
      rate: 10mbit
      loss: 1%
      symetric: true
"""


def read(tmp_path, text: str, groups: dict[str, tuple[str, ...]], names: tuple[str, ...] = ()):
    path = tmp_path / "rtt.yaml"
    path.write_text(text)
    return distances(read_keys(path), groups, names, str(path))


def test_enoslibs_dictionary_gives_delays_one_way(tmp_path):
    far = read(tmp_path, json.dumps(ENOSLIB), {"paris": (), "londres": (), "brest": ()})
    assert far.seconds("paris", "londres") == far.seconds("londres", "paris") == 0.010
    assert far.seconds("paris", "brest") == 0.020
    assert far.bytes_a_second("paris", "brest") == 125_000_000


def test_enos_has_it_among_other_things_with_groups_in_ranges(tmp_path):
    groups = {"a": ("grp1",), "b": ("grp2",), "c": ("grp3",)}
    far = read(tmp_path, ENOS, groups, ("grp1", "grp2", "grp3"))
    assert far.seconds("a", "c") == far.seconds("c", "b") == 0.010
    assert far.seconds("a", "b") == 0.025
    assert far.bytes_a_second("a", "c") == 1_250_000
    assert far.bytes_a_second("a", "b") == 12_500_000


def test_the_round_trips_that_scopes_are_resolved_by_are_the_same(tmp_path):
    far = read(tmp_path, json.dumps(ENOSLIB), {"paris": (), "londres": ()})
    assert far.delays.round_trip_us("paris", "londres") == 20_000


def test_names_are_given_in_their_order(tmp_path):
    path = tmp_path / "rtt.json"
    path.write_text(json.dumps(ENOSLIB))
    assert names_in(read_keys(path)) == ("paris", "londres")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("constraints: [{src: paris, dst: nowhere, delay: 1ms}]", "nowhere"),
        ("default_rate: fast", "no rate"),
        ("default_delay: soon", "duration"),
        ("delays: {}", "no dictionary of network constraints"),
        ("a: [", "rtt.yaml"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, text, {"paris": ()})


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "rtt.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read_keys(path)
