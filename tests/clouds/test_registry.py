"""A lookup costs the same whatever the number of clouds: counted in executed instructions, not in time."""

from __future__ import annotations

import pytest

from oidproxy.clouds.resolve import resolve
from oidproxy.scope.tree import CloudGlob, CloudName, Group
from tests.clouds.instructions import instructions


def registry_of(loaded, count):
    clouds = "\n".join(
        f"  cloud-{n}: {{upstream: 10.{n >> 8}.{n & 255}.1, groups: [{'few' if n < 3 else 'many'}]}}"
        for n in range(count)
    )
    rtt = "rtt: {default_delay: 1ms, constraints: [{src: few, dst: many, delay: 3ms}]}"
    return loaded(f"local: cloud-0\n{rtt}\nclouds:\n{clouds}\n").registry


@pytest.fixture(scope="module")
def sizes(tmp_path_factory):
    from oidproxy.clouds.loading.load import read

    def loaded(text):
        path = tmp_path_factory.mktemp("registry") / "oidproxy.yaml"
        path.write_text(text)
        return read(path, environ={})

    return registry_of(loaded, 10), registry_of(loaded, 2000)


LOOKUPS = {
    "an endpoint": lambda registry: registry.endpoint("cloud-7", "compute"),
    "an endpoint in a region": lambda registry: registry.endpoint("cloud-7", "compute", "RegionOne"),
    "a service that is absent": lambda registry: registry.endpoint("cloud-7", "dns"),
    "a cloud that is absent": lambda registry: registry.endpoint("cloud-none", "image"),
    "a round trip": lambda registry: registry.round_trip_us("cloud-1", "cloud-7"),
    "a name": lambda registry: resolve(CloudName("cloud-7"), registry, home="cloud-1"),
    "a region": lambda registry: resolve(CloudName("cloud-7", "RegionOne"), registry, home="cloud-1"),
    "a group of three": lambda registry: resolve(Group("few"), registry, home="cloud-1"),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_lookup_does_not_grow_with_the_number_of_clouds(name, sizes):
    LOOKUPS[name](sizes[0])
    few, many = (instructions(lambda registry=registry: LOOKUPS[name](registry)) for registry in sizes)
    assert 0 < many <= few + 2


def test_the_count_can_see_growth(sizes):
    every = CloudGlob("cloud-*")
    few, many = (instructions(lambda one=one: resolve(every, one, home="cloud-1")) for one in sizes)
    assert many > 100 * few
