"""`--scope` before and after the real client's commands, a process for each: where they end, and how they
fail."""

from __future__ import annotations

import hashlib
import re

import pytest

from oidproxy.cli.demonstration.downloads import downloads
from oidproxy.scope.parse import parse
from oidproxy.scope.url import auth_url
from tests.integration.recordings import visited

pytestmark = [pytest.mark.filterwarnings("ignore:::openstack")]

SCOPE = "keystone:cloud-1;glance:cloud-999"
CANONICAL = "identity:cloud-1;image:cloud-999"
CREATE = ("server", "create", "--image", "cirros", "--flavor", "m1.small", "--network", "private")
REQUEST = re.compile(r"REQ: curl .*")


@pytest.fixture
def booted(lab, sdk, image):
    """Checks that a server becomes ACTIVE in cloud-1 with the bytes that only cloud-999 has; deletes it."""
    before = len(downloads(lab.data("cloud-1")))

    def check(server: str) -> None:
        compute = sdk().compute
        found = compute.wait_for_server(compute.get_server(server), interval=0.1, wait=20)
        assert found.status == "ACTIVE"
        fetched = downloads(lab.data("cloud-1"))[before:]
        assert [one.sha256 for one in fetched] == [image.sha256]
        compute.delete_server(found)
        compute.wait_for_delete(found, interval=0.1, wait=20)

    return check


@pytest.mark.parametrize(
    "words",
    [("--scope", f"<{SCOPE}>", *CREATE, "s"), (*CREATE, "--scope", f"{{{SCOPE}}}", "s")],
    ids=["before", "after"],
)
def test_a_server_from_another_clouds_image(openstack, recordings, booted, words):
    mark = recordings.mark()
    created = openstack.json(*words)
    booted(created["id"])
    reached = visited(recordings.since(mark))
    assert reached["nova"] == reached["neutron"] == {"cloud-1"}
    assert reached["glance"] == {"cloud-999"}


def test_an_image_to_another_cloud_and_back(openstack, recordings, tmp_path):
    mark = recordings.mark()
    file, back = tmp_path / "up.bin", tmp_path / "back.bin"
    file.write_bytes(bytes(range(256)) * 4000)
    scope = ("--scope", SCOPE)
    created = openstack.json("image", "create", "far", "--file", str(file), "--disk-format", "raw", *scope)
    saved = openstack("image", "save", "far", "--file", str(back), *scope)
    assert saved.status == 0, saved.err
    assert sha256(back) == sha256(file)
    deleted = openstack("image", "delete", created["id"], *scope)
    assert deleted.status == 0, deleted.err
    assert visited(recordings.since(mark)) == {"glance": {"cloud-999"}}


def test_a_token_without_a_scope_and_the_scope_on_the_create_alone(openstack, booted):
    token = openstack.json("token", "issue")["id"]
    kept = ("OS_AUTH_URL", "OS_PROJECT_NAME", "OS_PROJECT_DOMAIN_ID", "OS_REGION_NAME")
    variables = {name: openstack.environment[name] for name in kept}
    bearer = type(openstack)(openstack.path, variables, openstack.folder)
    signed = ("--os-auth-type", "v3token", "--os-token", token)
    booted(bearer.json(*signed, "--scope", SCOPE, *CREATE, "t")["id"])


def test_x_scope_on_the_post_of_a_server_and_on_no_other_request(sdk, image, booted):
    compute, network = sdk().compute, sdk().network
    wanted = {
        "name": "raw",
        "imageRef": sdk(scope=SCOPE).image.find_image("cirros", ignore_missing=False).id,
        "flavorRef": compute.find_flavor("m1.small").id,
        "networks": [{"uuid": network.find_network("private").id}],
    }
    refused = compute.post("/servers", json={"server": wanted})
    assert refused.status_code == 400, "cloud-1 itself has no such image"
    taken = compute.post("/servers", json={"server": wanted}, headers={"X-Scope": SCOPE})
    assert taken.status_code == 202
    booted(taken.json()["server"]["id"])


@pytest.mark.parametrize("plugin", [True, False], ids=["option", "auth-url"])
def test_the_option_is_a_header_of_every_request_and_a_scoped_auth_url_of_none(openstack, lab, plugin):
    url = auth_url(parse(SCOPE), lab.places.gateway_url)
    client = openstack if plugin else openstack.given(OS_AUTH_URL=url)
    ran = client("--debug", "image", "list", "-f", "value", "-c", "Name", *(["--scope", SCOPE] * plugin))
    assert (ran.status, "cirros" in ran.out.splitlines()) == (0, True)
    requests = REQUEST.findall(ran.err)
    assert len(requests) >= 3
    assert {f"X-Scope: {CANONICAL}" in line for line in requests} == {plugin}
    assert "gAAAA" not in ran.err, "a token in a field that the client does not know to mask"


@pytest.mark.parametrize(
    ("scope", "status", "said"),
    [
        ("image:cloud-1;glance:cloud-999", 2, "the service image is bound twice"),
        ("glance:cloud-9", 1, "no cloud is called 'cloud-9'"),
    ],
)
def test_a_scope_that_cannot_be_served_fails_and_says_why(openstack, recordings, scope, status, said):
    mark = recordings.mark()
    ran = openstack("image", "list", "--scope", scope)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert recordings.since(mark) == []


def test_a_service_of_several_clouds_is_refused_with_its_reason(openstack, recordings):
    """Version documents come from one of them, so that the client gets as far as to show the refusal."""
    mark = recordings.mark()
    ran = openstack("image", "list", "--scope", "image:cloud-1%cloud-999")
    assert (ran.status, ran.out) == (1, "")
    assert "one resource across clouds" in ran.err
    assert visited(recordings.since(mark)) == {}


def test_a_list_of_several_clouds_holds_the_rows_of_all(openstack):
    def listed(scope):
        ran = openstack("image", "list", "--scope", scope, "-f", "value", "-c", "ID")
        assert ran.status == 0, ran.err
        return ran.out.split()

    first, second = listed("image:cloud-1"), listed("image:cloud-999")
    assert sorted(listed("image:cloud-1&cloud-999")) == sorted(first + second)
    assert listed("image:cloud-999|cloud-1") == second


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
