"""Project ids exchanged both ways: where they stand, and nowhere else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.rewrite import ids

HOME, HERE = "a" * 31 + "1", "b" * 31 + "2"
OTHER = "c" * 32
OUT = ids.projects(HOME, HERE, "block-storage", b"/v3/x/volumes")

TARGETS = {
    f"/v3/{HOME}/volumes": f"/v3/{HERE}/volumes",
    f"/v3/{HOME}": f"/v3/{HERE}",
    f"/v2/images?owner={HOME}&limit=1": f"/v2/images?owner={HERE}&limit=1",
    f"/v2.0/ports?tenant_id={HOME}": f"/v2.0/ports?tenant_id={HERE}",
    f"/v2.0/ports?fields=id&project_id={HOME}": f"/v2.0/ports?fields=id&project_id={HERE}",
    f"/v3/{HOME}/volumes?name={HOME}": f"/v3/{HERE}/volumes?name={HOME}",
    f"/v3/{HOME}x/volumes": f"/v3/{HOME}x/volumes",
    f"/v3/{OTHER}/volumes?": f"/v3/{OTHER}/volumes?",
    "/v3?a=%2F&&b": "/v3?a=%2F&&b",
}


@pytest.mark.parametrize("target", TARGETS)
def test_of_a_target_whole_segments_and_values_of_project_keys_are_exchanged(target):
    assert ids.in_target(target.encode(), HOME, HERE, "block-storage") == TARGETS[target].encode()


@pytest.mark.parametrize(
    ("service_type", "target", "expected"),
    [
        ("image", "/v2/images/5/tags/{}", "/v2/images/5/tags/{home}"),
        ("image", "/v2/images/5/members/{}", "/v2/images/5/members/{here}"),
        ("image", "/image/v2/images/5/members/{}", "/image/v2/images/5/members/{here}"),
        ("network", "/v2.0/quotas/{}/default", "/v2.0/quotas/{here}/default"),
        ("network", "/v2.0/networks/5/tags/{}", "/v2.0/networks/5/tags/{home}"),
        ("compute", "/v2.1/servers/5/metadata/{}", "/v2.1/servers/5/metadata/{home}"),
        ("compute", "/v2.1/{}/os-quota-sets/{}", "/v2.1/{here}/os-quota-sets/{here}"),
        ("object-store", "/v1/AUTH_{}/c/{}?prefix={}", "/v1/AUTH_{here}/c/{home}?prefix={home}"),
        ("object-store", "/swift/v1/{}/c?tenant_id={}", "/swift/v1/{here}/c?tenant_id={home}"),
        ("object-store", "/v1/my-{}/c", "/v1/my-{home}/c"),
        ("compute", "/{}", "/{home}"),
    ],
)
def test_of_a_path_only_what_names_a_project_is_exchanged(service_type, target, expected):
    asked = target.replace("{}", HOME).encode()
    wanted = expected.format(home=HOME, here=HERE).encode()
    assert ids.in_target(asked, HOME, HERE, service_type) == wanted


@given(st.binary(max_size=80).filter(lambda text: HOME.encode() not in text))
def test_a_target_without_the_project_stays_byte_for_byte(target):
    assert ids.in_target(target, HOME, HERE, "network") == target


def test_of_a_body_the_keys_of_the_top_and_of_the_resource_are_exchanged():
    body = {
        "tenant_id": HOME,
        "network": {"project_id": HOME, "name": HOME, "rules": [{"project_id": HOME}]},
        "ports": [{"tenant_id": HOME}, {"tenant_id": OTHER}],
        "cluster": {"labels": {"project_id": HOME}, "build_project_id": HOME},
        "server": {"metadata": {"project_id": HOME}, "user_data": HOME},
    }
    assert json.loads(ids.in_body(json.dumps(body).encode(), OUT)) == {
        "tenant_id": HERE,
        "network": {"project_id": HERE, "name": HOME, "rules": [{"project_id": HERE}]},
        "ports": [{"tenant_id": HERE}, {"tenant_id": OTHER}],
        "cluster": {"labels": {"project_id": HOME}, "build_project_id": HOME},
        "server": {"metadata": {"project_id": HOME}, "user_data": HOME},
    }


def test_what_a_body_does_not_exchange_stays_byte_for_byte():
    body = b'{ "owner" :"%b", "x": 1.0e5, "owner": "%b",\n"u": "\\u00e9"}' % (HOME.encode(), OTHER.encode())
    assert ids.in_body(body, OUT) == body.replace(HOME.encode(), HERE.encode())


@given(st.binary(max_size=200))
def test_junk_is_passed_on(junk):
    assert ids.in_body(junk, OUT) == junk
    with_id = junk + HOME.encode() + junk
    assert len(ids.in_body(with_id, OUT)) == len(with_id)


def scanned(document, paths, *, at):
    """A document in pieces of `at` bytes through a scanner that puts the ids back."""
    scanner = ids.Scanner(ids.Replacing(ids.Ids({HERE.encode(): HOME.encode()}, paths)), ids.rules(paths))
    pieces = [document[start : start + at] for start in range(0, len(document), at)]
    return b"".join(map(scanner.feed, pieces)) + scanner.finish()


@pytest.mark.parametrize("at", [1, 2, 7, 33, 100, 100_000])
def test_an_answer_is_put_back_wherever_it_is_cut(at):
    volume = {
        "id": OTHER,
        "os-vol-tenant-attr:tenant_id": HERE,
        "links": [{"rel": "self", "href": f"http://c/v3/{HERE}/volumes/{OTHER}?project_id={HERE}&m={HERE}x"}],
        "metadata": {"owner": HERE},
    }
    document = json.dumps({"volumes": [volume] * 5}).encode()
    paths = (*ids.PROJECTS, "*/links/href")
    found = json.loads(scanned(document, paths, at=at))["volumes"][4]
    assert found == {
        "id": OTHER,
        "os-vol-tenant-attr:tenant_id": HOME,
        "links": [{"rel": "self", "href": f"http://c/v3/{HOME}/volumes/{OTHER}?project_id={HOME}&m={HERE}x"}],
        "metadata": {"owner": HERE},
    }


def test_an_escaped_quote_in_a_link_ends_nothing():
    document = rb'{"next": "/v3/%b/a\"b/%b", "owner": "%b"}' % ((HERE.encode(),) * 3)
    found = json.loads(scanned(document, ("next", "owner"), at=9))
    assert found["owner"] == HOME
    assert found["next"].endswith(f'a"b/{HERE}')


@pytest.mark.parametrize(
    ("service_type", "rest"),
    [
        ("image", b"/v2/images/5/file"),
        ("image", b"/v2/images/5/stage"),
        ("object-store", b"/v1/AUTH_x/c/o"),
        ("key-manager", b"/v1/secrets/5/payload"),
        ("orchestration", b"/v1/x/stacks/s/1/template"),
    ],
)
def test_users_data_is_nobodys_to_change(service_type, rest):
    assert not ids.projects(HERE, HOME, service_type, rest)


def test_a_set_of_quotas_is_named_by_its_project():
    found = ids.projects(HERE, HOME, "block-storage", b"/v3/x/os-quota-sets/x")
    assert ids.in_body(b'{"quota_set": {"id": "%b"}}' % HERE.encode(), found) == (
        b'{"quota_set": {"id": "%b"}}' % HOME.encode()
    )


def test_an_images_members_are_projects():
    members = ids.projects(HOME, HERE, "image", b"/v2/images/5/members")
    assert ids.in_body(b'{"member": "%b"}' % HOME.encode(), members) == b'{"member": "%b"}' % HERE.encode()
