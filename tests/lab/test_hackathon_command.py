"""The hackathon's command on real services: a server at cloud-1 from an image that only cloud-999 has."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from tests.lab.users import Refused

SCOPE = "{keystone:cloud-1;glance:cloud-999}"


@pytest.fixture(scope="module")
def server(demo):
    """The command, as it was shown at the hackathon."""
    words = ("--image", "cirros", "--flavor", "m1.small", "--nic", "none", "--wait", "cirros1")
    made = demo.json("server", "create", *words, scope=SCOPE)
    yield made
    demo.run("server", "delete", "--wait", made["id"])


@pytest.fixture(scope="module")
def image(admin_abroad):
    return admin_abroad.json("image", "show", "cirros")


def kept(place, server):
    """What the hypervisor of a cloud says of the disk that it was given."""
    return json.loads((place.data / "nova" / "servers" / f"{server['id']}.json").read_text())


def test_home_does_not_have_the_image(demo):
    with pytest.raises(Refused, match="cirros"):
        demo.run("image", "show", "cirros")


def test_the_server_is_active(demo, server):
    assert server["status"] == "ACTIVE"
    assert demo.json("server", "show", server["id"])["status"] == "ACTIVE"


def test_its_disk_is_the_image_of_the_other_cloud(home, server, image):
    disk = kept(home, server)
    assert disk["image"] == image["id"]
    assert disk["size"] == image["size"]
    assert disk["sha512"] == image["properties"]["os_hash_value"]


def test_the_other_clouds_glance_gave_the_file_and_homes_did_not(home, abroad, lab, image, server):
    request = f'"GET {urlsplit(image["file"]).path} HTTP/1.1"'
    assert f"{request} 200" in (abroad.logs / "glance-api.log").read_text()
    assert request not in (home.logs / "glance-api.log").read_text()


def test_the_file_was_asked_for_by_homes_compute_service_with_the_users_token(
    lab, home, abroad, image, server
):
    calls = [json.loads(line) for line in lab.access_log.read_text().splitlines()]
    files = [
        call for call in calls if call["path"] == f"/v2/images/{image['id']}/file" and call["method"] == "GET"
    ]
    assert files
    last = files[-1]
    assert last["caller"] == f"nova@{home.name}"
    assert (last["home"], last["cloud"], last["carrier"]) == (home.name, abroad.name, "token")
    assert last["bytes_out"] == image["size"]
