"""A cloud that asks only its own Glance makes servers and volumes from images of another: real processes."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from oidproxy.cli.demonstration.story import generate
from tests.integration.edges import HERE, THERE, Edges
from tests.integration.recordings import Recordings

SECONDS = 30.0
GLANCE, NOVA = 9292, 8774


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edges")
    images = {name: generate(folder / f"{name}.img", 4).path for name in ("cirros", "debian", "twice")}
    lab = Edges(folder, {THERE: images})
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture(scope="module")
def api(edges):
    return edges.scoped()


@pytest.fixture(scope="module")
def nova(edges, api):
    return lambda method, path, body=None, fine=(): api.call(
        method, edges.url("compute", f"/v2.1{path}"), body, fine=fine
    )


@pytest.fixture(scope="module")
def past(edges):
    return edges.past(HERE)


def named(edges, api, name):
    [found] = api.call("GET", edges.url("image", f"/v2/images?name={name}")).json["images"]
    return found


def copies(edges, past, image):
    """What the first cloud's Glance has of an image of the other's."""
    query = f"/v2/images?oidproxy_source={THERE}/{image['id']}"
    return past.call("GET", edges.own(HERE, GLANCE, query)).json["images"]


def server_of(nova, image, **more):
    flavor = nova("GET", "/flavors").json["flavors"][0]["id"]
    return {"name": "x", "flavorRef": flavor, "imageRef": image["id"], "metadata": {"i": image["id"]}, **more}


def active(nova, server):
    deadline = time.monotonic() + SECONDS
    while (found := nova("GET", f"/servers/{server}").json["server"])["status"] != "ACTIVE":
        assert found["status"] != "ERROR", found.get("fault")
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def server(edges, api, nova):
    """Made of an image that only the other cloud has, and the image."""
    image = named(edges, api, "cirros")
    made = nova("POST", "/servers", {"server": server_of(nova, image)}).json["server"]
    return active(nova, made["id"]), image


def test_the_server_is_made_of_the_other_clouds_image(edges, past, server):
    _, image = server
    [copy] = copies(edges, past, image)
    assert (copy["visibility"], copy["status"]) == ("private", "active")
    assert copy["os_hash_value"] == image["os_hash_value"]
    lines = (edges.data(HERE) / "downloads.jsonl").read_text().splitlines()
    assert [one["sha512"] for one in map(json.loads, lines)] == [image["os_hash_value"]]


def test_answers_show_the_id_that_was_asked_and_users_data_stay(edges, past, nova, server):
    found, image = server
    assert found["image"]["id"] == image["id"]
    assert found["image"]["links"][0]["href"].endswith(f"/images/{image['id']}")
    assert found["metadata"] == {"i": image["id"]}
    [listed] = [one for one in nova("GET", "/servers/detail").json["servers"] if one["id"] == found["id"]]
    assert listed["image"]["id"] == image["id"]
    own = past.call("GET", edges.own(HERE, NOVA, f"/v2.1/servers/{found['id']}")).json["server"]
    [copy] = copies(edges, past, image)
    assert (own["image"]["id"], own["metadata"]) == (copy["id"], {"i": image["id"]})


def test_every_other_byte_of_the_body_reached_the_cloud_as_it_was_sent(edges, past, nova, server):
    _, image = server
    [copy] = copies(edges, past, image)
    [sent] = [one for one in received(edges, HERE) if one.call == "POST /v2.1/servers"]
    wanted = json.dumps({"server": server_of(nova, image)})
    first = wanted.index(image["id"])
    assert sent.body == wanted[:first] + copy["id"] + wanted[first + len(copy["id"]) :]


def received(edges, cloud):
    return [one for one in Recordings(edges).since({cloud: 0}) if one.received]


def test_requests_at_one_time_through_both_workers_bring_one_copy(edges, api, past, nova):
    image = named(edges, api, "debian")
    body = {"server": server_of(nova, image)}
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: nova("POST", "/servers", body).json["server"]["id"], range(8)))
    for one in made:
        assert active(nova, one)["image"]["id"] == image["id"]
    assert len(copies(edges, past, image)) == 1
    given = [
        one for one in received(edges, THERE) if one.call.startswith(f"GET /v2/images/{image['id']}/file")
    ]
    assert len(given) == 1


def test_a_volume_is_made_of_the_image(edges, api, past):
    image = named(edges, api, "twice")
    volumes = edges.url("block-storage", f"/v3/{api.project_id}/volumes")
    made = api.call("POST", volumes, {"volume": {"size": 1, "imageRef": image["id"]}}).json["volume"]["id"]
    deadline = time.monotonic() + SECONDS
    while (found := api.call("GET", f"{volumes}/{made}").json["volume"])["status"] != "available":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found["volume_image_metadata"]["image_id"] == image["id"]
    assert len(copies(edges, past, image)) == 1


def test_an_image_that_the_other_cloud_does_not_have_is_explained(nova):
    nothing = {"id": "0b1f4b3e-0000-4000-8000-00000000000a"}
    answer = nova("POST", "/servers", {"server": server_of(nova, nothing)}, fine=(400,))
    assert (answer.status, answer.headers["x-oidproxy-error"]) == (400, "image")


def test_an_image_of_the_servers_own_cloud_needs_a_scope_that_says_so(edges, past, api, nova, server):
    """Under this scope ids are the other cloud's, also where they are good here."""
    [copy] = copies(edges, past, server[1])
    body = {"server": server_of(nova, copy)}
    assert nova("POST", "/servers", body, fine=(400,)).status == 400
    url = edges.url("compute", "/v2.1/servers")
    made = api.call("POST", url, body, headers={"X-Scope": f"image:{HERE}"}).json["server"]["id"]
    shown = api.call("GET", f"{url}/{made}", headers={"X-Scope": f"image:{HERE}"}).json["server"]
    assert shown["image"]["id"] == copy["id"]


def test_without_a_store_the_state_is_gone_with_the_proxy_and_nothing_is_brought_twice(
    edges, past, nova, server
):
    found, image = server
    edges.stop_proxy()
    edges.start_proxy()
    [copy] = copies(edges, past, image)
    assert nova("GET", f"/servers/{found['id']}").json["server"]["image"]["id"] == copy["id"]
    nova("POST", "/servers", {"server": server_of(nova, image)})
    assert nova("GET", f"/servers/{found['id']}").json["server"]["image"]["id"] == image["id"]
    assert len(copies(edges, past, image)) == 1
