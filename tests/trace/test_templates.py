"""Paths of real calls, their templates, and the ids in them."""

from __future__ import annotations

import pytest

from oidproxy.trace.templates import template, template_of_bytes

UUID = "9f1c2b3a-1111-4222-8333-444455556666"
OTHER = "0a1b2c3d-5555-4666-8777-888899990000"
HEX = "54fadb412c4e40cdbaed9335e4c35a9e"

CASES = [
    ("compute", f"/v2/{HEX}/servers/detail", "/v2/{project_id}/servers/detail", [HEX]),
    ("compute", f"/v2.1/servers/{UUID}", "/v2.1/servers/{server_id}", [UUID]),
    ("compute", f"/v2.1/servers/{UUID}/action", "/v2.1/servers/{server_id}/action", [UUID]),
    ("compute", f"/v2.1/servers/{UUID}/metadata/tier", "/v2.1/servers/{server_id}/metadata/{key}", [UUID]),
    (
        "compute",
        f"/v2.1/servers/{UUID}/os-volume_attachments/{OTHER}",
        "/v2.1/servers/{server_id}/os-volume_attachments/{volume_id}",
        [UUID, OTHER],
    ),
    ("compute", "/v2.1/flavors/1", "/v2.1/flavors/{flavor_id}", ["1"]),
    ("compute", "/v2.1/flavors/detail", "/v2.1/flavors/detail", []),
    ("compute", "/v2.1/os-keypairs/my%20key", "/v2.1/os-keypairs/{keypair_name}", ["my key"]),
    ("compute", f"/v2.1/os-quota-sets/{HEX}", "/v2.1/os-quota-sets/{project_id}", [HEX]),
    ("compute", "/v2.1/os-services/disable", "/v2.1/os-services/disable", []),
    ("image", f"/v2/images/{UUID}/file", "/v2/images/{image_id}/file", [UUID]),
    ("image", f"/v2/images/{UUID}/members/{HEX}", "/v2/images/{image_id}/members/{member_id}", [UUID, HEX]),
    ("image", f"/v2/images/{UUID}/tags/ready", "/v2/images/{image_id}/tags/{tag}", [UUID]),
    ("image", "/v2/schemas/image", "/v2/schemas/image", []),
    ("network", f"/v2.0/ports/{UUID}", "/v2.0/ports/{port_id}", [UUID]),
    ("network", f"/v2.0/qos/policies/{UUID}", "/v2.0/qos/policies/{policy_id}", [UUID]),
    ("network", f"/v2.0/security-groups/{UUID}", "/v2.0/security-groups/{security_group_id}", [UUID]),
    (
        "block-storage",
        f"/v3/{HEX}/volumes/{UUID}/action",
        "/v3/{project_id}/volumes/{volume_id}/action",
        [HEX, UUID],
    ),
    ("identity", "/v3/auth/tokens", "/v3/auth/tokens", []),
    ("identity", "/v3/domains/default", "/v3/domains/{domain_id}", ["default"]),
    (
        "identity",
        f"/v3/projects/{HEX}/users/{HEX}/roles/{HEX}",
        "/v3/projects/{project_id}/users/{user_id}/roles/{role_id}",
        [HEX, HEX, HEX],
    ),
    (
        "object-store",
        f"/v1/AUTH_{HEX}/box/a/b",
        "/v1/{account}/{container}/{object}/{object}",
        [f"AUTH_{HEX}", "box"],
    ),
    (
        "placement",
        f"/resource_providers/{UUID}/inventories/VCPU",
        "/resource_providers/{resource_provider_id}/inventories/{resource_class}",
        [UUID],
    ),
    ("", "/", "/", []),
    ("image", "/", "/", []),
    ("something-new", f"/v1/things/{UUID}/parts", "/v1/things/{thing_id}/parts", [UUID]),
    ("compute", "/v2.1/servers/{}/action", "/v2.1/servers/{server_id}/action", ["{}"]),
]


@pytest.mark.parametrize(("service", "path", "expected", "ids"), CASES, ids=[case[1][:40] for case in CASES])
def test_ids_are_named_after_their_collections(service, path, expected, ids):
    assert template(service, path) == (expected, ids)


@pytest.mark.parametrize(("service", "path"), [case[:2] for case in CASES if not {*"%{"} & {*case[1]}])
def test_the_quick_way_says_the_same(service, path):
    text, ids = template(service, path)
    named, found = template_of_bytes(service, path.encode())
    assert (named.decode(), [one.decode() for one in found]) == (text, ids)


def test_what_is_remembered_of_one_path_is_nothing_of_another():
    first, second = (template("compute", f"/v2.1/servers/{one}") for one in (UUID, OTHER))
    assert first[0] == second[0]
    assert (first[1], second[1]) == ([UUID], [OTHER])
