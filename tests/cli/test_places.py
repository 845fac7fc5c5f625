"""Where an embedded lab stands: at addresses that no other has, from the moment they are found."""

from __future__ import annotations

import socket
from contextlib import closing

from oidproxy.cli.demonstration.places import GATEWAY_PORT, find

CLOUDS = (("cloud-1", "RegionOne"), ("cloud-999", "Edge999"))


def test_two_labs_found_at_the_same_time_share_no_address():
    """Nothing listens yet at any of them."""
    first, one = find(CLOUDS)
    with closing(one):
        second, other = find(CLOUDS)
        other.close()
    assert not addresses(first) & addresses(second)
    assert len(addresses(first)) == 5


def test_addresses_are_free_again_when_the_lab_is_gone():
    places, claim = find(CLOUDS)
    claim.close()
    with socket.socket(type=socket.SOCK_DGRAM) as again:
        again.bind((places.gateway, GATEWAY_PORT))


def test_an_address_where_something_listens_is_left_out():
    places, claim = find(CLOUDS)
    claim.close()
    with socket.create_server((places.clouds[1].beside, 9292)):
        other, claim = find(CLOUDS)
        claim.close()
    assert not addresses(places) & addresses(other)


def addresses(places):
    return {
        places.gateway,
        *(place.address for place in places.clouds),
        *(place.beside for place in places.clouds),
    }
