"""Ten thousand clouds of eight services are read whole, and found."""

from __future__ import annotations

import pytest

from oidproxy.clouds.loading.load import read
from oidproxy.clouds.plan import members
from oidproxy.clouds.resolve import resolve
from oidproxy.scope.tree import AllClouds, CloudGlob, Group

CLOUDS = 10_000
PORTS = {
    "identity": 5000,
    "image": 9292,
    "compute": 8774,
    "network": 9696,
    "placement": 8778,
    "block-storage": 8776,
    "key-manager": 9311,
    "orchestration": 8004,
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    path = tmp_path_factory.mktemp("scale") / "oidproxy.yaml"
    lines = ["local: cloud-0", "clouds:"]
    for number in range(CLOUDS):
        address = f"10.0.{number >> 8}.{number & 255}"
        lines += [
            f"  cloud-{number}:",
            f"    auth_url: http://{address}:5000/v3",
            f"    groups: [g{number % 100}]",
        ]
        lines += [
            "    endpoints:",
            *(f"      {name}: http://{address}:{port}/v3" for name, port in PORTS.items()),
        ]
    path.write_text("\n".join(lines))
    return read(path, environ={}).registry


def test_all_of_them_are_there(registry):
    assert (len(registry.clouds), len(registry.index)) == (CLOUDS, CLOUDS * len(PORTS))
    assert str(registry.endpoint("cloud-9999", "orchestration").origin) == "http://10.0.39.15:8004"
    assert registry.service_types == PORTS.keys()


def test_sets_of_them_mean_what_they_say(registry):
    assert len(members(resolve(AllClouds(), registry, home="cloud-0"))) == CLOUDS
    assert len(members(resolve(CloudGlob("cloud-99*"), registry, home="cloud-0"))) == 1 + 10 + 100
    assert len(members(resolve(Group("g7"), registry, home="cloud-0"))) == CLOUDS / 100
