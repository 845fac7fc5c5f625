"""The proxy's own URLs as clients see them."""

from __future__ import annotations

import pytest

from oidproxy.clouds.registry import Listener, ListenerTls
from oidproxy.routing.decision import Arrival, Facade
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from tests.routing.world import (
    GATEWAY,
    PORTS,
    ask,
    at,
    at_gateway,
    beside,
    cloud,
    head,
    registry,
    sealed,
    snapshot,
)

TAG = tag(parse("image:cloud-2"))
SECURE = Listener("127.0.0.1", 8443, tls=ListenerTls("cert", "key"))


@pytest.mark.parametrize(
    ("listener", "host", "expected"),
    [
        (GATEWAY, "proxy:8888", "http://proxy:8888/image"),
        (GATEWAY, "proxy", "http://proxy/image"),
        (GATEWAY, "proxy:80", "http://proxy/image"),
        (GATEWAY, "[::1]:8888", "http://[::1]:8888/image"),
        (GATEWAY, "[::1]", "http://[::1]/image"),
        (GATEWAY, "Proxy.Example:1", "http://Proxy.Example:1/image"),
        (GATEWAY, "", "http://127.0.0.1:8888/image"),
        (SECURE, "proxy", "https://proxy/image"),
        (SECURE, "proxy:443", "https://proxy/image"),
        (SECURE, "proxy:8443", "https://proxy:8443/image"),
    ],
)
def test_links_come_in_the_terms_the_client_used(listener, host, expected):
    found = ask(head(target="/image/v2", host=host), at_gateway(listener))
    assert found.route.facade.base("image") == expected


def test_beside_a_cloud_each_service_has_its_port():
    facade = ask(head(target="/v2", host="127.0.2.2:9292"), at("cloud-2", "image")).route.facade
    assert facade.base("image") == "http://127.0.2.2:9292"
    assert facade.base("identity") == "http://127.0.2.2:5000"
    assert facade.base("dns") == "http://127.0.2.2:9292/dns"


@pytest.mark.parametrize("segment", ["image:cloud-2", "{image:cloud-2}", TAG])
def test_under_a_scoped_url_links_have_its_tag(segment):
    facade = ask(head(target=f"/s/{segment}/compute/v2.1")).route.facade
    assert facade.base("compute") == f"http://proxy:8888/s/{TAG}/compute"
    near = ask(
        head(target=f"/s/{segment}/v2.1", host="127.0.2.2:8774"), at("cloud-2", "compute")
    ).route.facade
    assert near.base("image") == f"http://127.0.2.2:8774/s/{TAG}/image"


def test_a_header_leaves_links_as_they_are():
    assert ask(head(target="/image/v2", scope="image:cloud-2")).route.facade.tag == ""


def test_a_new_tokens_catalog_has_the_scope_in_force():
    found = ask(head("POST", "/identity/v3/auth/tokens", scope="image:cloud-2"), body=b"{}")
    assert found.route.facade.tag == TAG
    over = ask(head("POST", "/s/compute:cloud-3/identity/v3/auth/tokens", scope="image:cloud-2"), body=b"{}")
    assert over.route.facade.tag == tag(parse("compute:cloud-3;image:cloud-2"))
    assert ask(head("POST", "/identity/v3/auth/tokens"), body=b"{}").route.facade.tag == ""


def test_who_asks_about_a_token_of_its_own_sees_the_scope_it_was_issued_under():
    token = sealed("cloud-1", "image:cloud-2")
    found = ask(head(target="/identity/v3/auth/tokens", token=token, subject=token))
    assert found.route.facade.base("image") == f"http://proxy:8888/s/{TAG}/image"


def test_a_service_at_a_gateway_is_shown_its_clouds_own_addresses():
    asker, subject = sealed("cloud-1", token="service"), sealed("cloud-1", "image:cloud-2")
    facade = ask(head(target="/identity/v3/auth/tokens", token=asker, subject=subject)).route.facade
    assert (facade.base("image"), facade.tag) == ("http://127.0.2.1:9292", "")
    alone = snapshot(registry(cloud("cloud-1", 0), listeners=(GATEWAY,)))
    facade = ask(
        head(target="/identity/v3/auth/tokens", token=asker, subject=subject), known=alone
    ).route.facade
    assert (facade.base("image"), facade.tag) == ("http://proxy:8888/image", "")


def test_a_service_beside_its_cloud_never_sees_a_tag():
    asker = sealed("cloud-2", token="service")
    for subject in (asker, sealed("cloud-2", "image:cloud-1")):
        request = head(target="/v3/auth/tokens", token=asker, subject=subject, host="127.0.2.2:5000")
        facade = ask(request, at("cloud-2", "identity")).route.facade
        assert (facade.base("image"), facade.tag) == ("http://127.0.2.2:9292", "")


def test_a_facade_can_be_a_key():
    made = Facade("http", "h", 1, beside("cloud-1"))
    assert {made: 1}[Facade("http", "h", 1, beside("cloud-1"))] == 1
    assert made != Facade("http", "h", 1, beside("cloud-2"))


def test_arrivals_at_a_port_of_a_listener_with_both_forms():
    both = Listener("127.0.0.1", 8888, PORTS, "cloud-2")
    assert ask(head(target="/image/v2"), Arrival(both, 8888, "peer")).route.cloud == "cloud-2"
    assert ask(head(target="/v2"), Arrival(both, 9292, "peer", "image")).route.cloud == "cloud-2"
