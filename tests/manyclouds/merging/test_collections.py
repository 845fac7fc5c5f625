"""Which paths are collections, and what is known of each."""

from __future__ import annotations

import pytest

from oidproxy.manyclouds.merging.collections import Links, collection

PROJECT = b"0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("service", "rest", "list_key", "links"),
    [
        ("image", b"/v2/images", "images", Links.PATHS),
        ("compute", b"/v2.1/servers", "servers", Links.NAMED),
        ("compute", b"/v2.1/servers/detail", "servers", Links.NAMED),
        ("compute", b"/v2/" + PROJECT + b"/servers/detail", "servers", Links.NAMED),
        ("compute", b"/v2.1/flavors", "flavors", Links.NAMED),
        ("compute", b"/v2.1/flavors/detail", "flavors", Links.NAMED),
        ("compute", b"/v2.1/os-keypairs", "keypairs", Links.NAMED),
        ("network", b"/v2.0/networks", "networks", Links.NAMED),
        ("network", b"/v2.0/subnets", "subnets", Links.NAMED),
        ("network", b"/v2.0/ports.json", "ports", Links.NAMED),
        ("network", b"/v2.0/routers", "routers", Links.NAMED),
        ("network", b"/v2.0/security-groups", "security_groups", Links.NAMED),
        ("network", b"/v2.0/floatingips", "floatingips", Links.NAMED),
        ("block-storage", b"/v3/" + PROJECT + b"/volumes", "volumes", Links.NAMED),
        ("block-storage", b"/v3/" + PROJECT + b"/volumes/detail", "volumes", Links.NAMED),
        ("block-storage", b"/v3/" + PROJECT + b"/snapshots/detail", "snapshots", Links.NAMED),
        ("identity", b"/v3/projects", "projects", Links.RELATIONS),
        ("identity", b"/v3/users", "users", Links.RELATIONS),
        ("identity", b"/v3/auth/projects", "projects", Links.RELATIONS),
    ],
)
def test_the_collections_of_the_table(service, rest, list_key, links):
    found = collection(service, rest)
    assert found is not None
    assert (found.list_key, found.links) == (list_key, links)
    assert found.annotatable == (service != "image")


@pytest.mark.parametrize(
    ("service", "rest"),
    [
        ("compute", b"/v2.1/os-hypervisors/detail"),
        ("compute", b"/v2.1/os-server-groups"),
        ("network", b"/v2.0/qos/policies"),
        ("network", b"/v2.0/agents"),
        ("load-balancer", b"/v2/lbaas/loadbalancers"),
        ("orchestration", b"/v1/" + PROJECT + b"/stacks"),
        ("dns", b"/v2/zones"),
        ("identity", b"/v3/domains"),
        ("identity", b"/v3/OS-TRUST/trusts"),
        ("key-manager", b"/v1/secrets"),
        ("block-storage", b"/v3/" + PROJECT + b"/backups/detail"),
    ],
)
def test_other_collections_are_recognised_and_read_whole(service, rest):
    found = collection(service, rest)
    assert found is not None
    assert found.whole
    assert found.list_key == ""


@pytest.mark.parametrize(
    ("service", "rest"),
    [
        ("compute", b"/v2.1/servers/5f0e7d0c-5d3a-4f5e-9d1c-3a8a9f2b1c4d"),
        ("compute", b"/v2.1/limits"),
        ("compute", b"/v2.1/"),
        ("image", b"/v2/schemas/images"),
        ("image", b"/v2/images/5f0e7d0c-5d3a-4f5e-9d1c-3a8a9f2b1c4d/file"),
        ("identity", b"/v3/auth/tokens"),
        ("identity", b"/v3/users/5f0e7d0c5d3a4f5e9d1c3a8a9f2b1c4d/projects"),
        ("network", b"/v2.0/networks/5f0e7d0c-5d3a-4f5e-9d1c-3a8a9f2b1c4d"),
        ("object-store", b"/v1/AUTH_x/things"),
        ("placement", b"/v1/resource_providers"),
    ],
)
def test_what_is_no_collection(service, rest):
    assert collection(service, rest) is None


def test_the_path_of_one_row():
    assert collection("compute", b"/v2.1/servers/detail").item("a/b é") == b"/v2.1/servers/a%2Fb%20%C3%A9"
    assert collection("network", b"/v2.0/ports.json").item("x") == b"/v2.0/ports/x"


@pytest.mark.parametrize(
    ("service", "rest", "limit", "size"),
    [
        ("compute", b"/v2.1/servers", 5000, 1000),
        ("compute", b"/v2.1/servers", 0, None),
        ("image", b"/v2/images", 0, 0),
        ("network", b"/v2.0/ports", 5000, 5000),
        ("network", b"/v2.0/ports", None, None),
    ],
)
def test_a_page_is_as_long_as_its_api_gives_it(service, rest, limit, size):
    assert collection(service, rest).page_size(limit) == size
