"""Where an embedded lab stands: at addresses that no other has, from the moment they are found."""

from __future__ import annotations

import socket

import pytest

from oidproxy.cli.demonstration import places as module
from oidproxy.cli.demonstration.places import find

CLOUDS = (("cloud-1", "RegionOne"), ("cloud-999", "Edge999"))


@pytest.fixture(autouse=True)
def _one_choice(monkeypatch):
    """One that no lab of another test that runs meanwhile can have."""
    monkeypatch.setattr(module, "_firsts", lambda: iter(["127.255"]))


def test_two_labs_found_at_the_same_time_share_no_address():
    """Nothing listens yet at any of them."""
    first, claim = find(CLOUDS)
    with claim, pytest.raises(OSError, match="no free loopback addresses"):
        find(CLOUDS)
    assert len(addresses(first)) == 5
    again, claim = find(CLOUDS)
    claim.close()
    assert again == first


def test_an_address_where_something_listens_is_left_out():
    places, claim = find(CLOUDS)
    claim.close()
    with (
        socket.create_server((places.clouds[1].beside, 9292)),
        pytest.raises(OSError, match="no free loopback addresses"),
    ):
        find(CLOUDS)


def addresses(places):
    return {
        places.gateway,
        *(place.address for place in places.clouds),
        *(place.beside for place in places.clouds),
    }
