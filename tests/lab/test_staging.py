"""Servers and volumes of a cloud that nobody reconfigured, from images of another: brought there before.

edge-1's Nova and Cinder ask edge-1's own Glance; cirros and the images made here are at edge-2 alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from devstack.lab.api import Account, Api, send
from devstack.lab.failure import LabError
from devstack.lab.passwords import Secrets
from devstack.lab.proxy import Proxy
from tests.lab.users import User

SCOPE = "{keystone:edge-1;glance:edge-2}"
URL_SCOPE = "keystone:edge-1;glance:edge-2"
SECONDS = 120.0
MIB = 1 << 20


@pytest.fixture(scope="module")
def user(lab, edge_1):
    """demo of edge-1, through the gateway."""
    return User(lab, edge_1.name)


@pytest.fixture(scope="module")
def past(lab, edge_1):
    """The same user past the proxy."""
    return User(lab, f"{edge_1.name}-direct")


@pytest.fixture(scope="module")
def glance(edge_1):
    """edge-1's own image service, past the proxy: what it is asked for its copies."""
    account = Account("demo", "demo", Secrets(edge_1.folder).get("demo"))
    api = Api(f"{edge_1.url('identity')}/v3", account)
    return lambda method, path, fine=(): api.call(method, edge_1.url("image") + path, fine=fine)


@pytest.fixture(scope="module")
def nova(lab, edge_1):
    """edge-1's Nova through the gateway, under the scope of the auth URL."""
    account = Account("demo", "demo", Secrets(edge_1.folder).get("demo"))
    api = Api(f"{lab.edge_gateway_url}/s/{URL_SCOPE}/identity/v3", account)

    def call(method, path, body=None, fine=()):
        # Since 2.37 a server may do without networks.
        version = {"OpenStack-API-Version": "compute 2.98"}
        url = f"{lab.edge_gateway_url}/compute/v2.1{path}"
        return api.call(method, url, body, headers=version, fine=fine)

    return call


@pytest.fixture(scope="module")
def flavor(nova):
    return next(one["id"] for one in nova("GET", "/flavors").json["flavors"] if one["name"] == "m1.small")


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def made_of(path, user, *words):
    """An image of edge-2 with these data."""
    words = ("--disk-format", "raw", "--container-format", "bare", "--file", str(path), *words)
    return user.json("image", "create", *words, unique("staged"), scope=SCOPE)


def copies(glance, image):
    """What edge-1's Glance has of an image of edge-2."""
    return glance("GET", f"/v2/images?oidproxy_source=edge-2/{image['id']}").json["images"]


@pytest.fixture(scope="module")
def image(tmp_path_factory, user, past, glance):
    path = tmp_path_factory.mktemp("image") / "disk.raw"
    path.write_bytes(hashlib.shake_256(uuid.uuid4().bytes).digest(5 * MIB + 1))
    made = made_of(path, user, "--property", "hw_disk_bus=virtio", "--min-ram", "64")
    yield made
    user.run("image", "delete", made["id"], scope=SCOPE)
    for copy in copies(glance, made):
        past.run("image", "delete", copy["id"])


@pytest.fixture(scope="module")
def servers(user, image):
    """Two of one image, one after the other, by the real client."""
    words = ("--image", image["name"], "--flavor", "m1.small", "--nic", "none", "--wait")
    made = [user.json("server", "create", *words, unique("server"), scope=SCOPE) for _ in range(2)]
    yield made
    for server in made:
        user.run("server", "delete", "--wait", server["id"])


def disk(place, server):
    """What the hypervisor says of the disk that it was given."""
    return json.loads((place.data / "nova" / "servers" / f"{server['id']}.json").read_text())


def given(place, image):
    """The lines of a cloud's Glance about the data of this image."""
    text = (place.logs / "glance-api.log").read_text()
    return [line for line in text.splitlines() if f"/v2/images/{image['id']}/file HTTP/1.1" in line]


def test_the_servers_are_active_and_their_disks_are_the_other_clouds_image(edge_1, servers, image):
    assert [server["status"] for server in servers] == ["ACTIVE", "ACTIVE"]
    for server in servers:
        kept = disk(edge_1, server)
        assert kept["sha512"] == image["properties"]["os_hash_value"]
        assert kept["size"] == image["size"] == 5 * MIB + 1


def test_the_data_left_the_other_cloud_once(edge_2, servers, image):
    gets = [line for line in given(edge_2, image) if '"GET ' in line]
    assert len(gets) == 1
    assert '" 200 ' in gets[0]


def test_the_copy_is_the_users_alone(lab, glance, past, servers, image):
    [copy] = copies(glance, image)
    assert copy["visibility"] == "private"
    assert copy["owner"] == past.json("token", "issue")["project_id"]
    assert copy["id"] not in {one["ID"] for one in User(lab, "edge-1-watcher").json("image", "list")}
    assert (copy["name"], copy["min_ram"], copy["hw_disk_bus"]) == (image["name"], 64, "virtio")
    assert copy["os_hash_value"] == image["properties"]["os_hash_value"]


def test_nova_fetched_the_copy_from_its_own_glance(edge_1, glance, servers, image):
    [copy] = copies(glance, image)
    assert disk(edge_1, servers[0])["image"] == copy["id"]
    assert any('"GET ' in line and '" 200 ' in line for line in given(edge_1, copy))


def test_answers_show_the_image_that_was_asked(nova, user, servers, image, lab):
    shown = nova("GET", f"/servers/{servers[0]['id']}").json["server"]["image"]
    assert shown["id"] == image["id"]
    assert [link["href"].rpartition("/")[2] for link in shown["links"]] == [image["id"]]
    listed = {one["id"]: one["image"] for one in nova("GET", "/servers/detail").json["servers"]}
    assert {listed[server["id"]]["id"] for server in servers} == {image["id"]}
    assert user.json("server", "show", servers[0]["id"], scope=SCOPE)["image"].endswith(f"({image['id']})")


def test_without_the_scope_the_server_has_the_clouds_own_image(user, glance, servers, image):
    [copy] = copies(glance, image)
    assert user.json("server", "show", servers[0]["id"])["image"].endswith(f"({copy['id']})")


def test_rebuild_and_rescue_name_images_too(nova, edge_1, glance, servers, image):
    server = servers[1]["id"]
    rebuilt = nova("POST", f"/servers/{server}/action", {"rebuild": {"imageRef": image["id"]}})
    assert rebuilt.json["server"]["image"]["id"] == image["id"]
    state(nova, server, "ACTIVE")
    nova("POST", f"/servers/{server}/action", {"rescue": {"rescue_image_ref": image["id"]}})
    state(nova, server, "RESCUE")
    nova("POST", f"/servers/{server}/action", {"unrescue": None})
    state(nova, server, "ACTIVE")
    assert len(copies(glance, image)) == 1


def state(nova, server, wanted):
    deadline = time.monotonic() + SECONDS
    while (found := nova("GET", f"/servers/{server}").json["server"])["status"] != wanted:
        assert found["status"] != "ERROR", found.get("fault")
        assert time.monotonic() < deadline, found["status"]
        time.sleep(0.5)


def volume_of(user, image, scope):
    """A volume of this image, once it is there."""
    made = user.json("volume", "create", "--size", "1", "--image", image, unique("volume"), scope=scope)
    deadline = time.monotonic() + SECONDS
    while (found := user.json("volume", "show", made["id"], scope=scope))["status"] != "available":
        assert found["status"] != "error"
        assert time.monotonic() < deadline, found["status"]
        time.sleep(1)
    return found


def test_a_volume_is_made_of_the_image(user, past, edge_2, glance, image):
    found = volume_of(user, image["id"], SCOPE)
    [copy] = copies(glance, image)
    assert found["volume_image_metadata"]["image_id"] == image["id"]
    assert past.json("volume", "show", found["id"])["volume_image_metadata"]["image_id"] == copy["id"]
    assert len([line for line in given(edge_2, image) if '"GET ' in line]) == 1
    user.run("volume", "delete", found["id"])


@pytest.mark.parametrize(
    ("of", "at"), [("edge-2", "edge-3"), ("edge-1", "edge-2")], ids=["shared Keystone", "another account"]
)
def test_the_token_of_the_cloud_that_needs_the_image_may_be_an_exchanged_one(user, of, at):
    """At edge-3 the user's token is good as it is; at edge-2 an account of the operator's owns the copy."""
    scope = f"{{keystone:edge-1;glance:{of};cinder:{at}}}"
    theirs = f"{{keystone:edge-1;glance:{at}}}"
    image = user.json("image", "show", f"image-of-{of}", scope=scope)
    found = volume_of(user, image["id"], scope)
    wanted = ("--property", f"oidproxy_source={of}/{image['id']}")
    [copy] = user.json("image", "list", *wanted, scope=theirs)
    try:
        assert found["volume_image_metadata"]["image_id"] == image["id"] != copy["ID"]
        shown = user.json("image", "show", copy["ID"], scope=theirs)
        assert (shown["status"], shown["visibility"]) == ("active", "private")
        assert shown["properties"]["os_hash_value"] == image["properties"]["os_hash_value"]
    finally:
        user.run("volume", "delete", found["id"], scope=scope)
        user.run("image", "delete", copy["ID"], scope=theirs)


def test_a_server_from_a_new_volume_of_the_image(nova, flavor, user, glance, image):
    mapping = {
        "boot_index": 0,
        "uuid": image["id"],
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }
    server = {
        "name": unique("server"),
        "flavorRef": flavor,
        "networks": "none",
        "block_device_mapping_v2": [mapping],
    }
    made = nova("POST", "/servers", {"server": server}).json["server"]["id"]
    state(nova, made, "ACTIVE")
    user.run("server", "delete", "--wait", made)
    assert len(copies(glance, image)) == 1


def test_an_image_that_is_nowhere_is_explained(nova, flavor):
    nothing = str(uuid.uuid4())
    server = {"name": "x", "flavorRef": flavor, "networks": "none", "imageRef": nothing}
    answer = nova("POST", "/servers", {"server": server}, fine=(400,))
    assert (answer.status, answer.headers["x-oidproxy-error"]) == (400, "image")
    assert f"edge-2 has no image {nothing}" in answer.json["error"]["message"]


@pytest.fixture
def large(tmp_path, user, past, glance):
    """Large enough that its copy takes a moment."""
    path = tmp_path / "large.raw"
    with path.open("wb") as file:
        file.truncate(384 * MIB)
    made = made_of(path, user)
    yield made
    user.run("image", "delete", made["id"], scope=SCOPE)
    for copy in copies(glance, made):
        past.run("image", "delete", copy["id"])


def test_tokens_of_one_user_at_one_time_make_one_copy(lab, edge_1, edge_2, glance, large):
    """Four commands, each with a token of its own. The flavor is none, so that no server is made."""
    body = {"name": "x", "flavorRef": unique("none"), "networks": "none", "imageRef": large["id"]}

    def ask(_):
        account = Account("demo", "demo", Secrets(edge_1.folder).get("demo"))
        api = Api(f"{lab.edge_gateway_url}/s/{URL_SCOPE}/identity/v3", account)
        version = {"OpenStack-API-Version": "compute 2.98"}
        url = f"{lab.edge_gateway_url}/compute/v2.1/servers"
        return api.call("POST", url, {"server": body}, headers=version, fine=(400,))

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(4)))
    assert all(body["flavorRef"] in answer.json["badRequest"]["message"] for answer in answers)
    [copy] = copies(glance, large)
    assert (copy["status"], copy["os_hash_value"]) == ("active", large["properties"]["os_hash_value"])
    assert len([line for line in given(edge_2, large) if '"GET ' in line]) == 1


def test_an_image_cannot_choose_among_the_volumes_of_whoever_uses_it(nova, flavor, user, glance, tmp_path):
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(1000))
    volume = {"boot_index": 0, "source_type": "volume", "volume_id": str(uuid.uuid4())}
    mapping = json.dumps([{**volume, "destination_type": "volume", "delete_on_termination": True}])
    image = made_of(path, user, "--property", f"block_device_mapping={mapping}", "--property", "bdm_v2=True")
    try:
        server = {"name": "x", "flavorRef": flavor, "networks": "none", "imageRef": image["id"]}
        answer = nova("POST", "/servers", {"server": server}, fine=(400,))
        assert answer.headers["x-oidproxy-error"] == "image"
        assert "bdm_v2, block_device_mapping names" in answer.json["error"]["message"]
        assert copies(glance, image) == []
    finally:
        user.run("image", "delete", image["id"], scope=SCOPE)


def test_what_a_killed_worker_left_half_is_deleted_and_brought_anew(
    lab, edge_1, nova, flavor, user, glance, large, evidence
):
    body = {"name": unique("server"), "flavorRef": flavor, "networks": "none", "imageRef": large["id"]}
    asking = threading.Thread(target=unanswered, args=(nova, {"server": body}))
    asking.start()
    half = under_way(glance, large)
    for worker in psutil.Process(Proxy(lab, edge=True).process.pid).children():
        worker.kill()
    asking.join()
    healthy(lab)
    # The lease of the one that was killed ends within half a minute, which this waits for.
    made = nova("POST", "/servers", {"server": body}).json["server"]["id"]
    [copy] = copies(glance, large)
    assert (copy["status"], copy["os_hash_value"]) == ("active", large["properties"]["os_hash_value"])
    assert copy["id"] != half["id"]
    assert evidence.service(edge_1, "glance-api", f'"DELETE /v2/images/{half["id"]} HTTP/1.1" 204')
    state(nova, made, "ACTIVE")
    user.run("server", "delete", "--wait", made)


def unanswered(nova, body):
    try:
        nova("POST", "/servers", body)
    except LabError:
        return
    os.write(2, b"the copy was over before the worker was killed\n")


def under_way(glance, image):
    """The copy, while it is being filled."""
    deadline = time.monotonic() + SECONDS
    while not (found := [one for one in copies(glance, image) if one["status"] == "saving"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found[0]


def healthy(lab):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if send("GET", f"{lab.edge_gateway_url}/healthcheck").status == 200:
                return
        except LabError:
            assert time.monotonic() < deadline
        time.sleep(0.2)
