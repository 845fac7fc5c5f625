"""A decision costs the same among ten clouds and among two thousand: counted in executed instructions."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from oidproxy.clouds.registry import Admission
from oidproxy.clouds.resolve import resolve
from oidproxy.routing.decision import FanOut, Forward, Refuse, Validate
from oidproxy.scope.tree import CloudName
from tests.clouds.instructions import instructions
from tests.routing.world import IMAGE, ask, at, beside, closed, cloud, head, registry, sealed, snapshot


@pytest.fixture(scope="module")
def sizes():
    return tuple(_of(count) for count in (10, 2000))


def _of(count):
    """That many clouds, three of them in a group, each admitting users of cloud-1; beside them a listener."""
    admits = MappingProxyType({"cloud-1": Admission()})
    clouds = (
        cloud(f"cloud-{n}", n % 250, groups=("few",) if n < 4 else ("many",), admits=admits)
        for n in range(1, count + 1)
    )
    return registry(*clouds, listeners=(beside("cloud-2"),))


REQUESTS = {
    "to the home": (head(target="/image/v2/images", token=sealed()), Forward),
    "without a token": (head(target="/image/v2"), Forward),
    "by a header": (head(target="/image/v2/images", scope="image:cloud-7", token=sealed()), Forward),
    "by a URL": (head(target="/s/image:cloud-7/image/v2/images", token=sealed()), Forward),
    "by a token": (head(target="/image/v2/images", token=sealed("cloud-1", "image:cloud-7")), Forward),
    "of a fallback": (head(target="/image/v2/images", scope="image:cloud-7|cloud-8", token=sealed()), FanOut),
    "of a group": (head(target="/image/v2/images", scope="image:@few", token=sealed()), FanOut),
    "of a group's versions": (head(target="/image/v2", scope="image:@few", token=sealed()), Forward),
    "of a server": (head("POST", "/compute/v2.1/servers", scope="compute:cloud-7", token=sealed()), Forward),
    "to a Keystone": (head(target="/identity/v3/projects", token=sealed("cloud-7")), Forward),
    "about a token": (
        head(target="/identity/v3/auth/tokens", token=sealed("cloud-7"), subject=sealed("cloud-7")),
        Validate,
    ),
    "of a login elsewhere": (head(target="/identity/v3", scope="identity:cloud-7", token=sealed()), Refuse),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_decision_does_not_grow_with_the_number_of_clouds(name, sizes):
    request, kind = REQUESTS[name]
    _same(sizes, lambda known: ask(request, known=known), kind)


def test_nor_does_one_about_a_token_that_a_cloud_hands_back(sizes):
    request = head(target=f"/v2/images/{IMAGE}", token=closed())
    _same(sizes, lambda known: ask(request, at("cloud-2", "image"), known), Forward)


def test_nor_do_its_parts(sizes):
    few, many = (
        (
            instructions(lambda one=one: one.endpoint("cloud-7", "image", "RegionOne")),
            instructions(lambda one=one: resolve(CloudName("cloud-7"), one, home="cloud-1")),
        )
        for one in sizes
    )
    assert few == many
    assert min(few) > 0


def test_the_count_sees_a_decision_that_grows(sizes):
    request = head(target="/image/v2/images", scope="image:*", token=sealed())
    few, many = (_first_and_next(one, lambda known: ask(request, known=known))[0] for one in sizes)
    assert many > 20 * few


def _same(sizes, decide, kind):
    """The first decision under a snapshot, and the next, which remembers what scopes mean."""
    assert isinstance(decide(snapshot(sizes[0])), kind)
    few, many = (_first_and_next(one, decide) for one in sizes)
    assert few == many
    assert 0 < few[1] <= few[0]


def _first_and_next(one, decide):
    known = snapshot(one)
    return instructions(lambda: decide(known)), instructions(lambda: decide(known))
