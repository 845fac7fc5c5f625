"""Images of cloud-999, used with a token of cloud-1: list, create, upload, save, delete."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from tests.lab.users import Refused

SCOPE = "{keystone:cloud-1;glance:cloud-999}"


@pytest.fixture
def content(tmp_path):
    path = tmp_path / "disk.raw"
    path.write_bytes(hashlib.shake_256(uuid.uuid4().bytes).digest(3 * 1024 * 1024 + 1))
    return path


@pytest.fixture
def image(demo, content):
    """One made abroad by a user of home."""
    words = ("--disk-format", "raw", "--container-format", "bare", "--file", str(content))
    name = f"abroad-{uuid.uuid4().hex[:8]}"
    made = demo.json("image", "create", *words, name, scope=SCOPE)
    yield made
    if made["name"] in names(demo, SCOPE):
        demo.run("image", "delete", made["id"], scope=SCOPE)


def names(user, scope=None):
    return {image["Name"] for image in user.json("image", "list", scope=scope)}


def test_the_list_is_the_other_clouds(demo, home, abroad, evidence):
    assert names(demo, SCOPE) >= {"cirros", f"image-of-{abroad.name}"}
    assert evidence.service(abroad, "glance-api", '"GET /v2/images HTTP/1.1" 200')
    assert evidence.silent(home, "glance-api", '"GET /v2/images HTTP/1.1"')
    assert f"image-of-{home.name}" not in names(demo, SCOPE)
    assert f"image-of-{home.name}" in names(demo)


def test_what_is_uploaded_is_there_byte_by_byte_and_nowhere_else(demo, admin_abroad, abroad, image, content):
    there = admin_abroad.json("image", "show", image["id"])
    assert there["status"] == "active"
    assert there["properties"]["os_hash_value"] == hashlib.sha512(content.read_bytes()).hexdigest()
    assert (abroad.data / "glance" / "images" / image["id"]).read_bytes() == content.read_bytes()
    assert image["name"] not in names(demo)


def test_it_is_the_other_clouds_glance_that_took_it(demo, home, abroad, content, evidence):
    words = ("--disk-format", "raw", "--container-format", "bare", "--file", str(content))
    made = demo.json("image", "create", *words, f"abroad-{uuid.uuid4().hex[:8]}", scope=SCOPE)["id"]
    assert evidence.service(abroad, "glance-api", '"POST /v2/images HTTP/1.1" 201')
    assert evidence.service(abroad, "glance-api", f'"PUT /v2/images/{made}/file HTTP/1.1" 204')
    assert evidence.silent(home, "glance-api", " /v2/images")
    demo.run("image", "delete", made, scope=SCOPE)


def test_it_belongs_to_the_users_project_at_home(demo, admin_abroad, home, image):
    project = demo.json("token", "issue")["project_id"]
    assert admin_abroad.json("image", "show", image["id"])["owner"] == project


def test_what_is_saved_is_what_was_uploaded(demo, abroad, image, content, tmp_path, evidence):
    saved = tmp_path / "saved.raw"
    demo.run("image", "save", "--file", str(saved), image["id"], scope=SCOPE)
    assert saved.read_bytes() == content.read_bytes()
    assert evidence.service(abroad, "glance-api", f'"GET /v2/images/{image["id"]}/file HTTP/1.1" 200')


def test_what_is_deleted_is_gone(demo, admin_abroad, abroad, image, evidence):
    demo.run("image", "delete", image["id"], scope=SCOPE)
    assert evidence.service(abroad, "glance-api", f'"DELETE /v2/images/{image["id"]} HTTP/1.1" 204')
    with pytest.raises(Refused, match="No Image found"):
        admin_abroad.run("image", "show", image["id"])


def test_images_of_others_cannot_be_deleted(demo, admin_abroad):
    image = admin_abroad.json("image", "show", "cirros")["id"]
    with pytest.raises(Refused, match=r"403|not permitted|Forbidden"):
        demo.run("image", "delete", image, scope=SCOPE)
    assert admin_abroad.json("image", "show", image)["status"] == "active"
