"""Servers and ports under scopes that take network or placement away from compute."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from oidproxy.routing.decision import Forward, ReadBody, Refuse
from tests.routing.world import IMAGE, ask, cloud, head, registry, sealed, snapshot

CREATES = [
    "/compute/v2.1/servers",
    "/compute/v2.1/servers/",
    "/compute/v2/8f2e0c6a/servers",
    "/nova/v2.1/8f2e0c6a/os-volumes_boot",
    f"/compute/v2.1/servers/{IMAGE}/os-interface",
    f"/compute/v2.1/8f2e0c6a/servers/{IMAGE}/os-interface",
    "/compute/v2.1/%73ervers",
]
TORN = [
    "compute:cloud-1;network:cloud-2",
    "placement:cloud-3",
    "*:cloud-2;compute:cloud-1;identity:cloud-1",
    "network:@far",
]


@pytest.mark.parametrize("scope", TORN)
@pytest.mark.parametrize("target", CREATES)
def test_a_server_or_port_needs_network_and_placement_of_its_own_cloud(target, scope):
    found = ask(head("POST", target, scope=scope, token=sealed()))
    assert isinstance(found, Refuse)
    assert found.error.status == 400
    assert "follows compute" in found.error.message


@pytest.mark.parametrize("scope", TORN)
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/compute/v2.1/servers"),
        ("DELETE", f"/compute/v2.1/servers/{IMAGE}"),
        ("POST", f"/compute/v2.1/servers/{IMAGE}/action"),
        ("POST", "/compute/v2.1/os-keypairs"),
        ("GET", f"/compute/v2.1/servers/{IMAGE}/os-interface"),
        ("POST", "/image/v2/images"),
    ],
)
def test_every_other_request_of_that_scope_is_served(method, target, scope):
    assert isinstance(ask(head(method, target, scope=scope, token=sealed())), Forward)


@pytest.mark.parametrize(
    "scope",
    [
        "compute:cloud-2",
        "compute+network:cloud-2",
        "compute+network+placement:cloud-2",
        "*:cloud-2;identity:cloud-1",
        "image:cloud-3",
    ],
)
def test_scopes_that_keep_them_together_create_servers(scope):
    assert isinstance(ask(head("POST", "/compute/v2.1/servers", scope=scope, token=sealed())), Forward)


def test_every_carrier_counts():
    token = sealed("cloud-1", "network:cloud-2")
    assert ask(head("POST", "/compute/v2.1/servers", token=token)).error.status == 400
    assert ask(head("POST", "/s/network:cloud-2/compute/v2.1/servers", token=sealed())).error.status == 400
    assert isinstance(
        ask(head("POST", "/compute/v2.1/servers", token=token, scope="network:cloud-1")), Forward
    )


@pytest.mark.parametrize(("who", "other"), [("cloud-1", "cloud-2"), ("cloud-2", "cloud-1")])
def test_clouds_that_are_declared_to_share_it_may_be_mixed(who, other):
    shares = {who: {"shares": MappingProxyType({other: frozenset({"network"})})}}
    known = snapshot(
        registry(*(cloud(f"cloud-{n}", n - 1, **shares.get(f"cloud-{n}", {})) for n in (1, 2, 3)))
    )
    request = head("POST", "/compute/v2.1/servers", scope="compute:cloud-1;network:cloud-2", token=sealed())
    assert isinstance(ask(request, known=known), Forward)
    for scope in (
        "compute:cloud-1;placement:cloud-2",
        "compute:cloud-1;network:cloud-3",
        "network:cloud-2&cloud-3",
    ):
        request = head("POST", "/compute/v2.1/servers", scope=scope, token=sealed())
        assert ask(request, known=known).error.status == 400


@pytest.mark.parametrize("service", ["heat", "magnum", "trove"])
def test_services_that_act_later_are_refused_abroad(service):
    types = {"heat": "orchestration", "magnum": "container-infrastructure-management", "trove": "database"}
    clouds = [cloud(f"cloud-{n}", n - 1, ports={types[service]: 8004}) for n in (1, 2)]
    known = snapshot(registry(*clouds))
    abroad = ask(head(target=f"/{service}/v1", scope=f"{service}:cloud-2", token=sealed()), known=known)
    assert abroad.error.status == 501
    assert "cloud-2" in abroad.error.message
    for request in (
        head(target=f"/{service}/v1", token=sealed()),
        head(target=f"/{service}/v1", scope=f"{service}:cloud-2", token=sealed("cloud-2")),
        head(target=f"/{service}/", scope=f"{service}:cloud-2"),
    ):
        assert isinstance(ask(request, known=known), Forward)


def test_the_400_names_what_is_where():
    found = ask(
        head("POST", "/compute/v2.1/servers", scope="compute:cloud-1;network:cloud-2", token=sealed())
    )
    for word in ("network to cloud-2", "compute to cloud-1", "shares"):
        assert word in found.error.message


@pytest.mark.parametrize("target", [CREATES[0], f"/compute/v2.1/servers/{IMAGE}/os-interface"])
def test_so_it_is_with_several_clouds(target):
    torn = ask(head("POST", target, scope="compute:cloud-1&cloud-2;network:cloud-3", token=sealed()))
    assert isinstance(torn, Refuse)
    assert torn.error.status == 400
    together = ask(head("POST", target, scope="compute+network:cloud-1&cloud-2", token=sealed()))
    assert isinstance(together, ReadBody)
