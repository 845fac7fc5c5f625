"""Which paths are collections and items, and what a method does to them; everything else is not guessed."""

from __future__ import annotations

import pytest

from oidproxy.routing.decision import Kind
from oidproxy.routing.resources import describes, read
from tests.routing.world import IMAGE

PROJECT = "8f2e0c6a1b2c4d5e8f2e0c6a1b2c4d5e"


def kind(service, method, path):
    found = read(service, method, path.encode())
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("image", "/v2/images"),
        ("image", "/v2/images/"),
        ("image", "/v2//images"),
        ("image", "/v2/%69mages"),
        ("compute", "/v2.1/servers"),
        ("compute", "/v2.1/servers/detail"),
        ("compute", f"/v2/{PROJECT}/servers/detail"),
        ("compute", "/v2.1/flavors/detail"),
        ("compute", "/v2.1/os-keypairs"),
        ("network", "/v2.0/networks"),
        ("network", "/v2.0/subnets"),
        ("network", "/v2.0/ports"),
        ("network", "/v2.0/routers"),
        ("network", "/v2.0/security-groups"),
        ("network", "/v2.0/floatingips"),
        ("network", "/v2.0/qos/policies"),
        ("block-storage", f"/v3/{PROJECT}/volumes/detail"),
        ("block-storage", "/v3/volumes"),
        ("block-storage", f"/v3/{PROJECT}/snapshots"),
        ("identity", "/v3/projects"),
        ("identity", "/v3/users"),
        ("dns", "/v2/zones"),
        ("load-balancer", "/v2/lbaas/loadbalancers"),
        ("key-manager", "/v1/secrets"),
    ],
)
def test_a_get_of_a_collection(service, path):
    assert kind(service, "GET", path) is Kind.COLLECTION
    assert kind(service, "HEAD", path) is Kind.COLLECTION
    assert kind(service, "PUT", path) is None
    assert kind(service, "DELETE", path) is None


@pytest.mark.parametrize(
    ("service", "path", "collection", "item", "below"),
    [
        ("image", f"/v2/images/{IMAGE}", "/v2/images", IMAGE, ""),
        ("image", f"/v2/images/{IMAGE}/file", "/v2/images", IMAGE, "/file"),
        ("compute", f"/v2.1/{PROJECT}/servers/{IMAGE}", f"/v2.1/{PROJECT}/servers", IMAGE, ""),
        ("compute", f"/v2.1/servers/{IMAGE}/os-interface/p", "/v2.1/servers", IMAGE, "/os-interface/p"),
        ("compute", "/v2.1/os-keypairs/my%20key", "/v2.1/os-keypairs", "my%20key", ""),
        ("network", f"/v2.0/qos/policies/{IMAGE}", "/v2.0/qos/policies", IMAGE, ""),
        ("block-storage", f"/v3/{PROJECT}/volumes/{IMAGE}", f"/v3/{PROJECT}/volumes", IMAGE, ""),
    ],
)
def test_a_get_of_an_item_knows_its_parts(service, path, collection, item, below):
    found, asked = read(service, "GET", path.encode())
    assert found is Kind.ITEM_READ
    assert (asked.collection, asked.item, asked.below) == (collection.encode(), item.encode(), below.encode())


@pytest.mark.parametrize(
    ("service", "method", "path", "expected"),
    [
        ("compute", "POST", "/v2.1/servers", Kind.CREATE),
        ("image", "POST", "/v2/images", Kind.CREATE),
        ("network", "POST", "/v2.0/networks", Kind.CREATE),
        ("block-storage", "POST", f"/v3/{PROJECT}/volumes", Kind.CREATE),
        ("compute", "PUT", f"/v2.1/servers/{IMAGE}", Kind.CHANGE),
        ("image", "PATCH", f"/v2/images/{IMAGE}", Kind.CHANGE),
        ("compute", "POST", f"/v2.1/servers/{IMAGE}/action", Kind.CHANGE),
        ("compute", "POST", f"/v2.1/servers/{IMAGE}/os-interface", Kind.CHANGE),
        ("compute", "POST", f"/v2.1/servers/{IMAGE}/os-volume_attachments", Kind.CHANGE),
        ("block-storage", "POST", f"/v3/volumes/{IMAGE}/action", Kind.CHANGE),
        ("image", "POST", f"/v2/images/{IMAGE}/actions/deactivate", Kind.CHANGE),
        ("network", "PUT", f"/v2.0/routers/{IMAGE}/add_router_interface", Kind.CHANGE),
        ("compute", "DELETE", f"/v2.1/servers/{IMAGE}", Kind.DELETE),
        ("compute", "DELETE", f"/v2.1/servers/{IMAGE}/metadata/key", Kind.CHANGE),
        ("image", "PUT", f"/v2/images/{IMAGE}/file", Kind.DATA),
        ("image", "GET", f"/v2/images/{IMAGE}/file", Kind.ITEM_READ),
    ],
)
def test_what_changes_something(service, method, path, expected):
    assert kind(service, method, path) is expected


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [
        ("compute", "GET", "/v2.1/limits"),
        ("compute", "GET", "/v2.1/os-quota-sets/x"),
        ("compute", "GET", "/v2.1/os-hypervisors/statistics"),
        ("compute", "POST", f"/v2.1/servers/{IMAGE}/remote-consoles"),
        ("compute", "POST", "/v2.1/servers/detail"[:-7] + "/detail/x"),
        ("compute", "PUT", "/v2.1/os-services/disable"),
        ("block-storage", "GET", "/v3/volumes/summary"),
        ("network", "GET", "/v2.0/quotas"),
        ("network", "POST", f"/v2.0/networks/{IMAGE}/x"),
        ("image", "PUT", "/v2/images"),
        ("image", "DELETE", f"/v2/images/{IMAGE}/file"),
        ("image", "GET", "/v2/images%2Fx"),
        ("image", "GET", "/v2/images/x%2ffile"),
        ("image", "GET", "/images"),
        ("image", "GET", "/"),
        ("image", "GET", "/v2/metadefs/namespaces"),
        ("identity", "POST", "/v3/projects"),
        ("identity", "GET", "/v3/auth/projects"),
        ("identity", "PATCH", "/v3/users/u"),
        ("object-store", "GET", "/v1/AUTH_x"),
        ("placement", "GET", "/resource_providers"),
        ("image", "OPTIONS", "/v2/images"),
    ],
)
def test_nothing_else_is_guessed(service, method, path):
    assert kind(service, method, path) is None


@pytest.mark.parametrize(
    ("service", "path", "expected"),
    [
        ("image", "/v2/schemas/image", True),
        ("image", "/v2/schemas/images", True),
        ("network", "/v2.0/extensions", True),
        ("network", "/v2.0/extensions/qos", True),
        ("compute", "/v2.1/extensions", True),
        ("image", "/v2/images", False),
        ("compute", "/v2.1/servers", False),
        ("dns", "/v2/zones", False),
    ],
)
def test_what_a_service_says_of_itself(service, path, expected):
    assert describes(service, "GET", path.encode()) is expected
    assert not describes(service, "POST", path.encode())
