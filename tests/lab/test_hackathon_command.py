"""The hackathon's command on real services: a server at cloud-1 from an image that only cloud-999 has."""

from __future__ import annotations

import json
import re
import shlex
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.lab.users import Refused

SCOPE = "{keystone:cloud-1;glance:cloud-999}"
README = (Path(__file__).parents[2] / "README.md").read_text()
SHOWN = re.findall(
    r"(?m)^    openstack (--.*|scope .*)$", README.partition("## Five minutes for an operator")[0]
)
"""What the README has for users, without the program's name."""

SECONDS = 60.0


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


def gave(place, image):
    """The lines of a cloud's Glance that say that it gave this image's file."""
    request = f'"GET {urlsplit(image["file"]).path} HTTP/1.1" 200 '
    return [line for line in (place.logs / "glance-api.log").read_text().splitlines() if request in line]


def test_the_other_clouds_glance_gave_the_file_and_homes_did_not(home, abroad, image, server):
    assert gave(abroad, image)
    assert not gave(home, image)


def test_the_other_clouds_glance_names_the_request_that_homes_compute_service_worked_on(
    demo, home, abroad, image, server
):
    user = demo.json("token", "issue")["user_id"]
    *_, (request, who) = re.findall(r" \[\S+ (req-\S+) (\S+) ", "\n".join(gave(abroad, image)))
    # oslo.log writes the id that came with the request first, then the service's own, then the user.
    built = f"[{request} "
    lines = (home.logs / "nova-compute.log").read_text().splitlines()
    told = [line for line in lines if built in line and f"[instance: {server['id']}]" in line]
    assert any("seconds to build instance" in line and f" {user} " in line for line in told)
    assert who == user
    assert server["id"] not in (abroad.logs / "nova-compute.log").read_text()


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


def test_the_readmes_command_makes_such_a_server(demo, home, image):
    (command,) = (line for line in SHOWN if "server create" in line)
    made = demo.json(*shlex.split(command))
    deadline = time.monotonic() + SECONDS
    while (found := demo.json("server", "show", made["id"]))["status"] == "BUILD":
        assert time.monotonic() < deadline
    assert found["status"] == "ACTIVE"
    assert kept(home, made)["sha512"] == image["properties"]["os_hash_value"]
    demo.run("server", "delete", "--wait", made["id"])


def test_the_readmes_other_commands_show_what_they_are_for(demo):
    listed, explained = (line for line in SHOWN if "server create" not in line)
    assert "cirros" in demo.run(*shlex.split(listed))
    assert "cloud-999" in demo.run(*shlex.split(explained))
