"""Servers, snapshots and volumes whose parts are in two clouds, on real services."""

from __future__ import annotations

import json
import re
import time
import uuid

import pytest

IMAGES_ABROAD = "{keystone:cloud-1;glance:cloud-999}"
VOLUMES_ABROAD = "{keystone:cloud-1;cinder:cloud-999}"
COMPUTE_ABROAD = "{keystone:cloud-1;nova:cloud-999}"
ALL_ABROAD = "{keystone:cloud-1;nova+glance+cinder:cloud-999}"
SECONDS = 60.0

CREATED = '"POST /v2.1/servers HTTP/1.1" status: 202'
GLOBAL_ID = re.compile(r"req-[0-9a-f-]+")
"""The first in a line of oslo.log is the id that came with the request."""


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def create(user, image, scope=None):
    words = ("--image", image, "--flavor", "m1.small", "--nic", "none", "--wait", unique("server"))
    return user.json("server", "create", *words, scope=scope)


def given(image):
    """What Glance says of an image's bytes that it gave."""
    return f'"GET /v2/images/{image["id"]}/file HTTP/1.1" 200'


def disk(place, server):
    return json.loads((place.data / "nova" / "servers" / f"{server['id']}.json").read_text())


def until(user, scope, volume, status):
    """The volume, once it is in this state."""
    deadline = time.monotonic() + SECONDS
    while (found := user.json("volume", "show", volume["id"], scope=scope))["status"] != status:
        assert time.monotonic() < deadline, found
        time.sleep(1)
    return found


def volume(user, scope, *words):
    made = user.json("volume", "create", "--size", "1", *words, unique("volume"), scope=scope)
    return until(user, scope, made, "available")


def gone(user, scope, made):
    """Delete it, and wait for that."""
    user.run("volume", "delete", made["id"], scope=scope)
    deadline = time.monotonic() + SECONDS
    while made["id"] in {one["ID"] for one in user.json("volume", "list", scope=scope)}:
        assert time.monotonic() < deadline
        time.sleep(1)


@pytest.fixture(scope="module")
def server(demo, home):
    """A server of home, with an image of home."""
    made = create(demo, f"image-of-{home.name}")
    yield made
    demo.run("server", "delete", "--wait", made["id"])


@pytest.fixture(scope="module")
def snapshot(demo, server):
    """Of the server of home, kept by the other cloud."""
    name = unique("snapshot")
    demo.run("server", "image", "create", "--wait", "--name", name, server["id"], scope=IMAGES_ABROAD)
    made = demo.json("image", "show", name, scope=IMAGES_ABROAD)
    yield made
    demo.run("image", "delete", made["id"], scope=IMAGES_ABROAD)


def test_a_snapshot_goes_to_the_other_cloud(demo, home, abroad, server, snapshot):
    assert snapshot["status"] == "active"
    assert snapshot["properties"]["os_hash_value"] == disk(home, server)["sha512"]
    taken = f'"PUT /v2/images/{snapshot["id"]}/file HTTP/1.1" 204'
    assert taken in (abroad.logs / "glance-api.log").read_text()
    assert taken not in (home.logs / "glance-api.log").read_text()
    assert snapshot["id"] not in {one["ID"] for one in demo.json("image", "list")}


def test_a_server_is_made_of_a_snapshot_in_the_other_cloud(demo, home, abroad, snapshot, evidence):
    made = create(demo, snapshot["id"], IMAGES_ABROAD)
    assert made["status"] == "ACTIVE"
    assert disk(home, made)["image"] == snapshot["id"]
    assert disk(home, made)["sha512"] == snapshot["properties"]["os_hash_value"]
    assert evidence.service(abroad, "glance-api", given(snapshot))
    demo.run("server", "delete", "--wait", made["id"])


def test_a_volume_of_the_other_cloud_is_attached_and_detached(demo, home, abroad, server, evidence):
    made = volume(demo, VOLUMES_ABROAD)
    assert evidence.service(abroad, "cinder-api", '/volumes HTTP/1.1" status: 202')
    demo.run("server", "add", "volume", server["id"], made["id"], scope=VOLUMES_ABROAD)
    attached = until(demo, VOLUMES_ABROAD, made, "in-use")
    assert [one["server_id"] for one in attached["attachments"]] == [server["id"]]
    assert [one["Volume ID"] for one in demo.json("server", "volume", "list", server["id"])] == [made["id"]]
    assert attaching(home, abroad, server, evidence)
    demo.run("server", "remove", "volume", server["id"], made["id"], scope=VOLUMES_ABROAD)
    assert until(demo, VOLUMES_ABROAD, made, "available")["attachments"] == []
    assert [
        line for line in evidence.service(abroad, "cinder-api", '"DELETE /v3/') if "/attachments/" in line
    ]
    assert demo.json("server", "volume", "list", server["id"]) == []
    gone(demo, VOLUMES_ABROAD, made)
    deleted = evidence.service(abroad, "cinder-api", f"/volumes/{made['id']}")
    assert any('"DELETE /v3/' in line and "status: 202" in line for line in deleted)
    assert evidence.silent(home, "cinder-api", made["id"])


def attaching(home, abroad, server, evidence):
    """What Cinder there was asked under the ids under which home's compute service worked on the server."""
    worked = evidence.service(home, "nova-compute", f"[instance: {server['id']}] Attaching volume")
    asked = evidence.service(abroad, "cinder-api", "/attachments")
    return [line for line in asked for one in worked if f"[{GLOBAL_ID.search(one)[0]} " in line]


def test_home_does_not_see_a_volume_of_the_other_cloud(demo):
    made = volume(demo, VOLUMES_ABROAD)
    assert made["id"] not in {one["ID"] for one in demo.json("volume", "list")}
    gone(demo, VOLUMES_ABROAD, made)


def test_a_server_of_the_other_cloud_gets_an_image_of_home(demo, home, abroad, evidence):
    made = create(demo, f"image-of-{home.name}", COMPUTE_ABROAD)
    assert made["status"] == "ACTIVE"
    image = demo.json("image", "show", f"image-of-{home.name}")
    assert disk(abroad, made)["sha512"] == image["properties"]["os_hash_value"]
    assert evidence.service(abroad, "nova-api-os-compute", CREATED)
    assert evidence.silent(home, "nova-api-os-compute", CREATED)
    assert evidence.service(home, "glance-api", given(image))
    assert made["id"] not in {one["ID"] for one in demo.json("server", "list")}
    demo.run("server", "delete", "--wait", made["id"], scope=COMPUTE_ABROAD)


def test_everything_of_a_user_of_home_can_be_in_the_other_cloud(demo, home, abroad, evidence):
    made, disk_of_image = create(demo, "cirros", ALL_ABROAD), volume(demo, ALL_ABROAD, "--image", "cirros")
    assert made["status"] == "ACTIVE"
    assert made["project_id"] == demo.json("token", "issue")["project_id"]
    assert evidence.service(abroad, "nova-api-os-compute", CREATED)
    kept = (abroad.data / "cinder" / "volumes" / f"volume-{disk_of_image['id']}.sha512").read_text()
    assert kept == demo.json("image", "show", "cirros", scope=ALL_ABROAD)["properties"]["os_hash_value"]
    demo.run("server", "add", "volume", made["id"], disk_of_image["id"], scope=ALL_ABROAD)
    until(demo, ALL_ABROAD, disk_of_image, "in-use")
    demo.run("server", "remove", "volume", made["id"], disk_of_image["id"], scope=ALL_ABROAD)
    until(demo, ALL_ABROAD, disk_of_image, "available")
    gone(demo, ALL_ABROAD, disk_of_image)
    demo.run("server", "delete", "--wait", made["id"], scope=ALL_ABROAD)
    for service, word in (("nova-api-os-compute", "/servers"), ("cinder-api", "/v3"), ("glance-api", "/v2")):
        assert evidence.silent(home, service, word)


def test_a_volume_of_home_is_made_of_an_image_of_the_other_cloud(demo, admin_abroad, home, abroad, evidence):
    made = volume(demo, IMAGES_ABROAD, "--image", "cirros")
    kept = (home.data / "cinder" / "volumes" / f"volume-{made['id']}.sha512").read_text()
    image = admin_abroad.json("image", "show", "cirros")
    assert kept == image["properties"]["os_hash_value"]
    assert evidence.service(abroad, "glance-api", given(image))
    gone(demo, IMAGES_ABROAD, made)


def test_a_volume_of_the_other_cloud_is_made_of_an_image_of_home(demo, home, abroad, evidence):
    made = volume(demo, VOLUMES_ABROAD, "--image", f"image-of-{home.name}")
    kept = (abroad.data / "cinder" / "volumes" / f"volume-{made['id']}.sha512").read_text()
    image = demo.json("image", "show", f"image-of-{home.name}")
    assert kept == image["properties"]["os_hash_value"]
    assert evidence.service(home, "glance-api", given(image))
    gone(demo, VOLUMES_ABROAD, made)
