"""Which carrier wins, per service, and what serves a service that nothing binds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oidproxy.routing.decision import Carrier, Forward, Refuse
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from tests.routing.world import GATEWAY, ask, at, at_gateway, beside, head, registry, sealed, snapshot


def scope(text):
    return parse(text) if text else NO_SCOPE


def routed(service, *, header=None, url="", token=None, listener="", config="", method="GET", rest="/v"):
    """Where one call goes: its cloud and its carrier."""
    known = snapshot(replace(registry(), scope=scope(config)))
    arrival = at_gateway(replace(GATEWAY, scope=scope(listener)))
    prefix = f"/s/{url}" if url else ""
    decision = ask(head(method, f"{prefix}/{service}{rest}", scope=header, token=token), arrival, known)
    assert isinstance(decision, Forward), decision
    return decision.route.cloud, decision.route.carrier


ORDER = [
    # header, url, token's scope, listener, config -> cloud and carrier, each time without the highest one
    (
        ("image:cloud-2", "image:cloud-3", "image:cloud-1", "image:cloud-3", "image:cloud-3"),
        "cloud-2",
        Carrier.HEADER,
    ),
    ((None, "image:cloud-3", "image:cloud-2", "image:cloud-2", "image:cloud-2"), "cloud-3", Carrier.URL),
    ((None, "", "image:cloud-2", "image:cloud-3", "image:cloud-3"), "cloud-2", Carrier.TOKEN),
    ((None, "", "", "image:cloud-3", "image:cloud-2"), "cloud-3", Carrier.LISTENER),
    ((None, "", "", "", "image:cloud-2"), "cloud-2", Carrier.CONFIG),
    ((None, "", "", "", ""), "cloud-1", Carrier.HOME),
]


@pytest.mark.parametrize(("carriers", "cloud", "carrier"), ORDER)
def test_the_highest_carrier_that_binds_the_service_wins(carriers, cloud, carrier):
    header, url, token, listener, config = carriers
    found = routed(
        "image", header=header, url=url, token=sealed("cloud-1", token), listener=listener, config=config
    )
    assert found == (cloud, carrier)


@pytest.mark.parametrize(
    ("header", "url", "token", "expected"),
    [
        # `*` in a higher carrier binds too, over the service's own name in a lower one …
        ("*:cloud-2;identity:cloud-1", "image:cloud-3", "", ("cloud-2", Carrier.HEADER)),
        ("*:cloud-2;identity:cloud-1", "", "image:cloud-3", ("cloud-2", Carrier.HEADER)),
        (None, "*:cloud-2;identity:cloud-1", "image:cloud-3", ("cloud-2", Carrier.URL)),
        # … and is below the service's own name in the same one.
        ("*:cloud-2;image:cloud-3;identity:cloud-1", "image:cloud-1", "", ("cloud-3", Carrier.HEADER)),
        # A higher carrier that says nothing of the service leaves it to the lower.
        ("compute:cloud-2", "image:cloud-3", "image:cloud-1", ("cloud-3", Carrier.URL)),
        ("compute:cloud-2", "network:cloud-2", "image:cloud-3", ("cloud-3", Carrier.TOKEN)),
        (None, "", "*:cloud-3", ("cloud-3", Carrier.TOKEN)),
    ],
)
def test_a_star_binds_every_service_that_its_own_text_does_not_name(header, url, token, expected):
    assert routed("image", header=header, url=url, token=sealed("cloud-1", token)) == expected


@pytest.mark.parametrize("service", ["network", "placement"])
@pytest.mark.parametrize(
    ("header", "token", "config", "expected"),
    [
        ("compute:cloud-2", "", "", ("cloud-2", Carrier.COMPUTE)),
        (None, "compute:cloud-3", "", ("cloud-3", Carrier.COMPUTE)),
        (None, "", "compute:cloud-3", ("cloud-3", Carrier.COMPUTE)),
        (None, "", "", ("cloud-1", Carrier.HOME)),
        ("image:cloud-2", "", "", ("cloud-1", Carrier.HOME)),
        ("*:cloud-2;compute:cloud-3;identity:cloud-1", "", "", ("cloud-2", Carrier.HEADER)),
    ],
)
def test_network_and_placement_follow_compute_where_nothing_binds_them(
    service, header, token, config, expected
):
    assert routed(service, header=header, token=sealed("cloud-1", token), config=config) == expected


def test_a_scope_of_their_own_takes_them_from_compute():
    token = sealed("cloud-1", "compute:cloud-2;network:cloud-3")
    assert routed("network", token=token) == ("cloud-3", Carrier.TOKEN)
    assert routed("placement", token=token) == ("cloud-2", Carrier.COMPUTE)


def test_they_follow_compute_into_its_region():
    decision = ask(head(target="/network/v2.0/ports", scope="compute:cloud-2/RegionTwo", token=sealed()))
    assert decision.route.endpoint.region == "RegionTwo"
    assert decision.route.endpoint.origin.port == 9796


@pytest.mark.parametrize("service", ["image", "compute", "block-storage"])
def test_other_services_stay_at_the_tokens_home_whatever_compute_is_bound_to(service):
    expected = ("cloud-2", Carrier.HEADER) if service == "compute" else ("cloud-1", Carrier.HOME)
    assert routed(service, header="compute:cloud-2", token=sealed()) == expected


def test_without_a_token_the_local_cloud_serves():
    assert routed("image") == ("cloud-1", Carrier.LOCAL)


def test_without_a_token_the_listeners_cloud_serves_before_the_local_one():
    decision = ask(head(target="/v2/images"), at("cloud-2", "image"))
    assert (decision.route.cloud, decision.route.carrier) == ("cloud-2", Carrier.LOCAL)
    assert decision.route.home == "cloud-2"


def test_a_bare_token_comes_from_the_listeners_cloud_else_the_local_one():
    assert ask(head(target="/image/v2", token="bare")).route.home == "cloud-1"
    found = ask(head(target="/v2", token="bare", service_token="bare2"), at("cloud-3", "image"))
    assert (found.token.home, found.service_token.home, found.route.cloud) == (
        "cloud-3",
        "cloud-3",
        "cloud-3",
    )


def test_a_sealed_token_keeps_its_home_at_another_clouds_address():
    found = ask(head(target="/v2", token=sealed("cloud-2")), at("cloud-3", "image"))
    assert (found.route.home, found.route.cloud, found.route.carrier) == ("cloud-2", "cloud-2", Carrier.HOME)


def test_openstackoids_tokens_carry_a_scope():
    token = 'gAAAAAB!SCOPE!{"image": "cloud-2"}'
    found = ask(head(target="/image/v2", token=token))
    assert (found.route.cloud, found.route.carrier) == ("cloud-2", Carrier.TOKEN)
    assert found.token.token == "gAAAAAB"


def test_what_travels_on_is_header_over_url_over_token():
    token = sealed("cloud-1", "image:cloud-1;block-storage:cloud-1;compute:cloud-1")
    found = ask(
        head(target="/s/image:cloud-2;compute:cloud-2/compute/v2.1", scope="compute:cloud-3", token=token)
    )
    assert canonical(found.route.effective) == "block-storage:cloud-1;compute:cloud-3;image:cloud-2"
    assert canonical(found.route.explicit) == "compute:cloud-3;image:cloud-2"


def test_the_defaults_of_listener_and_configuration_do_not_travel():
    known = snapshot(replace(registry(), scope=parse("image:cloud-2")))
    arrival = at_gateway(replace(GATEWAY, scope=parse("compute:cloud-3")))
    found = ask(head(target="/image/v2", token=sealed()), arrival, known)
    assert canonical(found.route.effective) == ""
    assert found.scoped is False


def test_nearest_is_measured_from_the_tokens_home():
    near = ask(head(target="/image/v2", scope="image:nearest(@far)", token=sealed("cloud-1")))
    assert near.route.cloud == "cloud-3"
    own = ask(head(target="/image/v2", scope="image:nearest(@far)", token=sealed("cloud-2")))
    assert own.route.cloud == "cloud-2"


def test_scopes_that_are_too_long_together_are_refused():
    names = "|".join(f"cloud-{1 + number % 3}/RegionOne" for number in range(50))
    token = sealed("cloud-1", f"image:{names}")
    found = ask(head(target="/image/v2", scope=f"compute:{names}", token=token))
    assert isinstance(found, Refuse)
    assert found.error.status == 400
    assert "name a group" in found.error.message


def test_a_listeners_scope_is_its_own():
    scoped = replace(beside("cloud-2"), scope=parse("image:cloud-3"))
    found = ask(head(target="/v2", token=sealed("cloud-2")), replace(at("cloud-2", "image"), listener=scoped))
    assert (found.route.cloud, found.route.carrier) == ("cloud-3", Carrier.LISTENER)
