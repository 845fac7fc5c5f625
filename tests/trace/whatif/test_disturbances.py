"""The same what-if in real time, by a fleet of simulated clouds."""

from __future__ import annotations

import yaml

from oidproxy.sim.fleet.disturbances import read
from oidproxy.trace.whatif.disturbances import disturbances
from oidproxy.trace.whatif.outages import Manner, Outage
from tests.trace.whatif.test_delays import read as distances

FAR = "default_delay: 20ms\nconstraints: [{src: cloud-1, dst: cloud-2, delay: 2.5ms, symmetric: true}]\n"
CLOUDS = ("cloud-1", "cloud-2", "cloud-3")


def test_outages_have_their_times_and_clouds_their_round_trips(tmp_path):
    far = distances(tmp_path, FAR, dict.fromkeys(CLOUDS, ()))
    down = [Outage("cloud-3", 60, 120), Outage("cloud-2", 0, 30, Manner.SILENT)]
    found = disturbances(down, far, "cloud-1", CLOUDS, speed=2)
    assert found["rules"] == [
        {"clouds": "cloud-3", "fault": "dead", "from": "30s", "until": "60s"},
        {"clouds": "cloud-2", "fault": "silent", "from": "0s", "until": "15s"},
        {"clouds": "cloud-2", "latency": "5ms"},
        {"clouds": "cloud-3", "latency": "40ms"},
    ]
    path = tmp_path / "disturbances.yaml"
    path.write_text(yaml.safe_dump(found))
    understood = read(path, CLOUDS, ())
    assert understood.dead("cloud-3", 45)
    assert not understood.dead("cloud-3", 61)
    assert understood.latency("cloud-3") == 0.040
