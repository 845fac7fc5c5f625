"""Servers, snapshots and volumes whose parts are in two clouds, on real services."""

from __future__ import annotations

import json
import time
import uuid

import pytest

IMAGES_ABROAD = "{keystone:cloud-1;glance:cloud-999}"
VOLUMES_ABROAD = "{keystone:cloud-1;cinder:cloud-999}"
COMPUTE_ABROAD = "{keystone:cloud-1;nova:cloud-999}"
ALL_ABROAD = "{keystone:cloud-1;nova+glance+cinder:cloud-999}"
SECONDS = 60.0


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def create(user, image, scope=None):
    words = ("--image", image, "--flavor", "m1.small", "--nic", "none", "--wait", unique("server"))
    return user.json("server", "create", *words, scope=scope)


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


def test_a_snapshot_goes_to_the_other_cloud(demo, admin_abroad, home, abroad, server, evidence):
    name = unique("snapshot")
    demo.run("server", "image", "create", "--wait", "--name", name, server["id"], scope=IMAGES_ABROAD)
    made = demo.json("image", "show", name, scope=IMAGES_ABROAD)
    assert made["status"] == "active"
    assert made["properties"]["os_hash_value"] == disk(home, server)["sha512"]
    assert evidence.service(abroad, "glance-api", f'"PUT /v2/images/{made["id"]}/file HTTP/1.1" 204')
    demo.run("image", "delete", made["id"], scope=IMAGES_ABROAD)


def test_a_volume_of_the_other_cloud_is_attached_and_detached(demo, abroad, server, evidence):
    made = volume(demo, VOLUMES_ABROAD)
    demo.run("server", "add", "volume", server["id"], made["id"], scope=VOLUMES_ABROAD)
    attached = until(demo, VOLUMES_ABROAD, made, "in-use")
    assert [one["server_id"] for one in attached["attachments"]] == [server["id"]]
    assert evidence.calls(caller="nova@cloud-1", service="block-storage", cloud=abroad.name, method="POST")
    demo.run("server", "remove", "volume", server["id"], made["id"], scope=VOLUMES_ABROAD)
    assert until(demo, VOLUMES_ABROAD, made, "available")["attachments"] == []
    gone(demo, VOLUMES_ABROAD, made)


def test_home_does_not_see_a_volume_of_the_other_cloud(demo):
    made = volume(demo, VOLUMES_ABROAD)
    assert made["id"] not in {one["ID"] for one in demo.json("volume", "list")}
    gone(demo, VOLUMES_ABROAD, made)


def test_a_server_of_the_other_cloud_gets_an_image_of_home(demo, home, abroad):
    made = create(demo, f"image-of-{home.name}", COMPUTE_ABROAD)
    assert made["status"] == "ACTIVE"
    image = demo.json("image", "show", f"image-of-{home.name}")
    assert disk(abroad, made)["sha512"] == image["properties"]["os_hash_value"]
    assert made["id"] not in {one["ID"] for one in demo.json("server", "list")}
    demo.run("server", "delete", "--wait", made["id"], scope=COMPUTE_ABROAD)


def test_everything_of_a_user_of_home_can_be_in_the_other_cloud(demo, abroad):
    made, disk_of_image = create(demo, "cirros", ALL_ABROAD), volume(demo, ALL_ABROAD, "--image", "cirros")
    kept = (abroad.data / "cinder" / "volumes" / f"volume-{disk_of_image['id']}.sha512").read_text()
    assert kept == demo.json("image", "show", "cirros", scope=ALL_ABROAD)["properties"]["os_hash_value"]
    demo.run("server", "add", "volume", made["id"], disk_of_image["id"], scope=ALL_ABROAD)
    until(demo, ALL_ABROAD, disk_of_image, "in-use")
    demo.run("server", "remove", "volume", made["id"], disk_of_image["id"], scope=ALL_ABROAD)
    until(demo, ALL_ABROAD, disk_of_image, "available")
    gone(demo, ALL_ABROAD, disk_of_image)
    demo.run("server", "delete", "--wait", made["id"], scope=ALL_ABROAD)


def test_a_volume_of_home_is_made_of_an_image_of_the_other_cloud(demo, admin_abroad, home):
    made = volume(demo, IMAGES_ABROAD, "--image", "cirros")
    kept = (home.data / "cinder" / "volumes" / f"volume-{made['id']}.sha512").read_text()
    assert kept == admin_abroad.json("image", "show", "cirros")["properties"]["os_hash_value"]
    gone(demo, IMAGES_ABROAD, made)


def test_a_volume_of_the_other_cloud_is_made_of_an_image_of_home(demo, home, abroad):
    made = volume(demo, VOLUMES_ABROAD, "--image", f"image-of-{home.name}")
    kept = (abroad.data / "cinder" / "volumes" / f"volume-{made['id']}.sha512").read_text()
    image = demo.json("image", "show", f"image-of-{home.name}")
    assert kept == image["properties"]["os_hash_value"]
    gone(demo, VOLUMES_ABROAD, made)
