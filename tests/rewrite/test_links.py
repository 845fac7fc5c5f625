"""Which URLs are a cloud's, and what they become."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oidproxy.clouds.registry import Listener, Origin
from oidproxy.rewrite.bases import Bases
from oidproxy.rewrite.links import Links
from tests.rewrite.world import (
    GATEWAY,
    PORTS,
    beside,
    beside_facade,
    cloud,
    endpoint,
    gateway,
    registry,
    two_clouds,
)


def links(**more):
    return Links.of(two_clouds(), "cloud-1", gateway(**more))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"http://127.0.1.1:8774/v2.1/servers/1", b"http://127.0.0.1:8888/compute/v2.1/servers/1"),
        (b"http://127.0.1.1:8774", b"http://127.0.0.1:8888/compute"),
        (b"http://127.0.1.1:8774?a", b"http://127.0.0.1:8888/compute?a"),
        (b"http://127.0.1.1:8774#a", b"http://127.0.0.1:8888/compute#a"),
        (b"http://127.0.1.1:87745/x", None),
        (b"http://127.0.1.1:8774.evil/x", None),
        (b"http://127.0.1.1:8774@evil/x", None),
        (b"http://127.0.1.11:8774/x", None),
        (b"https://127.0.1.1:8774/x", None),
        (b"http://127.0.1.2:8774/x", None),
        (b"x http://127.0.1.1:8774/x", None),
        (b"", None),
    ],
)
def test_a_url_is_the_clouds_if_it_begins_with_a_base_of_it_and_goes_on_behind(url, expected):
    assert links().rewrite(url) == (url if expected is None else expected)


def test_our_own_address_beside_the_cloud_is_one_of_its_urls():
    """A cloud's own catalog holds it, so its services write it into their links."""
    assert links(tag="x41").rewrite(b"http://127.0.2.1:9292/v2") == b"http://127.0.0.1:8888/s/x41/image/v2"
    assert links().rewrite(b"http://127.0.2.2:9292/v2") == b"http://127.0.2.2:9292/v2"


def test_an_address_for_every_interface_is_nobodys_url():
    everywhere = Listener("0.0.0.0", None, PORTS, "cloud-1")
    found = Bases.of(two_clouds(listeners=(GATEWAY, everywhere)), "cloud-1")
    assert not any(b"0.0.0.0" in base for base in found.services)


def test_all_interfaces_and_the_explicit_default_port_count():
    inside = endpoint("cloud-1", "compute", "10.1.1.1", interface="internal")
    secure = endpoint(
        "cloud-1", "dns", "dns.example", origin=Origin("https", "dns.example", 443), root="/dns"
    )
    made = Links.of(registry(cloud(1, more=(inside, secure))), "cloud-1", gateway())
    assert made.rewrite(b"http://10.1.1.1:8774/x") == b"http://127.0.0.1:8888/compute/x"
    assert made.rewrite(b"https://dns.example/dns/v2") == b"http://127.0.0.1:8888/dns/v2"
    assert made.rewrite(b"https://dns.example:443/dns/v2") == b"http://127.0.0.1:8888/dns/v2"
    assert made.rewrite(b"https://dns.example/other") == b"https://dns.example/other"


def test_the_longest_base_wins():
    origin = Origin("http", "cloud", 80)
    more = [
        endpoint("cloud-1", service, "cloud", origin=origin, root=root)
        for service, root in [("image", ""), ("compute", "/compute"), ("placement", "/compute/placement")]
    ]
    made = Links.of(registry(cloud(1, services=(), more=tuple(more))), "cloud-1", gateway())
    assert made.rewrite(b"http://cloud/compute/placement/x") == b"http://127.0.0.1:8888/placement/x"
    assert made.rewrite(b"http://cloud/compute/place") == b"http://127.0.0.1:8888/compute/place"
    assert made.rewrite(b"http://cloud/computer") == b"http://127.0.0.1:8888/image/computer"


def test_ipv6_addresses_keep_their_brackets():
    v6 = endpoint("cloud-1", "image", "x", origin=Origin("http", "fd00::1", 9292))
    made = Links.of(registry(cloud(1, services=(), more=(v6,))), "cloud-1", gateway(host="::1"))
    assert made.rewrite(b"http://[fd00::1]:9292/v2") == b"http://[::1]:8888/image/v2"


def test_beside_a_cloud_links_have_the_services_ports():
    made = Links.of(two_clouds(), "cloud-1", beside_facade(1))
    assert made.rewrite(b"http://127.0.1.1:9292/v2") == b"http://127.0.2.1:9292/v2"


def test_the_host_is_the_one_that_the_client_used():
    assert links(host="proxy.example", scheme="https", port=443).rewrite(b"http://127.0.1.1:5000/v3") == (
        b"https://proxy.example/identity/v3"
    )


def test_links_that_change_nothing_are_none_to_rewrite():
    own = beside(1)
    its = [endpoint("cloud-1", service, own.host) for service in PORTS]
    same = registry(cloud(1, services=(), more=tuple(its)), listeners=(own,))
    assert not Links.of(same, "cloud-1", replace(beside_facade(1), listener=own))
    assert not Links.of(registry(cloud(1, services=()), listeners=(GATEWAY,)), "cloud-1", gateway())
    assert not Links.of(two_clouds(), "no such cloud", gateway())
    assert links()


def test_what_was_learned_counts_after_what_is_configured():
    learned = [("http://public/nova", "compute"), ("http://127.0.1.1:9292", "compute")]
    made = Links.of(two_clouds(), "cloud-1", gateway(), learned)
    assert made.rewrite(b"http://public/nova/v2.1") == b"http://127.0.0.1:8888/compute/v2.1"
    assert made.rewrite(b"http://127.0.1.1:9292/v2") == b"http://127.0.0.1:8888/image/v2"
