"""The lab that runs, its users, and the logs of its services as evidence.

These tests need clouds that run (`make lab-up`), so `make test` leaves them out: they are collected only
where OIDPROXY_LAB is set.
"""

from __future__ import annotations

import os

import pytest

from devstack.lab.layout import Lab, here
from tests.lab.evidence import Evidence
from tests.lab.many import USER, Truth, many_at_home
from tests.lab.spare import Spare
from tests.lab.users import User

collect_ignore_glob = [] if os.environ.get("OIDPROXY_LAB") else ["test_*.py"]


@pytest.fixture(scope="session")
def lab() -> Lab:
    found = here()
    assert found.cloud(2).folder.exists(), "no lab with two clouds: make lab-up"
    return found


@pytest.fixture(scope="session")
def home(lab):
    """cloud-1: where the user is from."""
    return lab.cloud(1)


@pytest.fixture(scope="session")
def abroad(lab):
    """cloud-999: the only one that has the image cirros."""
    return lab.cloud(2)


@pytest.fixture(scope="session")
def edges(lab):
    """Three clouds that nobody reconfigured: edge-1, edge-2, and edge-3, which is a region of edge-1."""
    found = lab.edges()
    assert set(found) <= set(lab.wanted()), "no lab with clouds left as they were: make lab-up GATEWAY=1"
    return found


@pytest.fixture(scope="session")
def edge_1(edges):
    """All services, among them its own Keystone; lets nobody in from elsewhere."""
    return edges[0]


@pytest.fixture(scope="session")
def edge_2(edges):
    """Keystone, Glance (the only one there with the image cirros) and Cinder; takes users of edge-1."""
    return edges[1]


@pytest.fixture(scope="session")
def edge_3(edges):
    """Glance and Cinder, with edge-1's Keystone."""
    return edges[2]


@pytest.fixture(scope="session")
def demo(lab, home):
    """A member at home."""
    return User(lab, home.name)


@pytest.fixture(scope="session")
def admin_abroad(lab, abroad):
    """The other cloud's own administrator, who sees what really is there."""
    return User(lab, f"{abroad.name}-admin")


@pytest.fixture
def evidence(lab):
    """What is logged from now on."""
    return Evidence(lab)


@pytest.fixture(scope="session")
def many(lab):
    """A member at home in a project where no other tests work, whose scopes name several clouds."""
    return many_at_home(lab)


@pytest.fixture(scope="session")
def truths(home, abroad, many):
    """The administrators of both clouds, past every proxy."""
    return tuple(Truth(place, many) for place in (home, abroad))


@pytest.fixture(scope="session")
def client(lab, many, tmp_path_factory):
    """The same user with the real client."""
    return User(lab, USER, many.clouds_yaml(tmp_path_factory.mktemp("many") / "clouds.yaml"))


@pytest.fixture(scope="session")
def spare(lab, many, edge_2, tmp_path_factory):
    """The same user at a proxy of the fleet that has three clouds: what fails there, fails nobody else."""
    made = Spare(
        lab,
        tmp_path_factory.mktemp("spare"),
        f"{lab.network}.2.251",
        project=many.project,
        # As long as nothing answers there.
        limits={"fan_out": "10s", "image_first_byte": "10s"},
    )
    made.start()
    yield many.at(made.url)
    made.stop()
