"""The same server without the plugin: by URL, by a header on one request alone, by curl, and by the SDK."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from urllib.parse import quote

import openstack
import pytest

from devstack.lab.api import send
from devstack.lab.passwords import Secrets

SCOPE = "{keystone:cloud-1;glance:cloud-999}"
SECONDS = 60.0
CURL = shutil.which("curl")
PROJECT = {"name": "demo", "domain": {"name": "Default"}}


@pytest.fixture(scope="module")
def cirros(admin_abroad):
    return admin_abroad.json("image", "show", "cirros")


@pytest.fixture
def scoped_url(home):
    return f"{home.beside_url('identity')}/s/{quote(SCOPE, safe='')}/identity/v3"


@pytest.fixture(scope="module")
def password(home):
    return Secrets(home.folder).get("demo")


def login(auth_url, password):
    """A token, and its catalog as type -> URL: what one does with curl."""
    default = {"name": "Default"}
    user = {"name": "demo", "password": password, "domain": default}
    answer = send(
        "POST",
        f"{auth_url}/auth/tokens",
        {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "demo", "domain": default}},
            }
        },
    )
    assert answer.status == 201, answer
    return answer.headers["x-subject-token"], public(answer.json["token"]["catalog"])


def public(catalog):
    """Type -> URL."""
    return {
        service["type"]: endpoint["url"]
        for service in catalog
        for endpoint in service["endpoints"]
        if endpoint["interface"] == "public"
    }


def boot(compute, image, fields):
    """Ask for a new server."""
    flavors = send("GET", f"{compute}/flavors", headers=fields).json["flavors"]
    body = {"name": "by-hand", "imageRef": image, "flavorRef": flavors[0]["id"], "networks": "none"}
    microversion = {"OpenStack-API-Version": "compute 2.37"}
    return send("POST", f"{compute}/servers", {"server": body}, headers={**fields, **microversion})


def booted(compute, image, fields):
    """The id of a new server, as soon as it is promised."""
    made = boot(compute, image, fields)
    assert made.status == 202, made
    return made.json["server"]["id"]


def active(compute, server, fields):
    deadline = time.monotonic() + SECONDS
    while True:
        found = send("GET", f"{compute}/servers/{server}", headers=fields).json["server"]
        if found["status"] != "BUILD":
            return found["status"] == "ACTIVE"
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def kept(place, server):
    return json.loads((place.data / "nova" / "servers" / f"{server}.json").read_text())["sha512"]


@pytest.fixture
def fetched(home, abroad, cirros, evidence):
    """Cloud-999's Glance says that it gave the image, and home's that it did not."""
    yield
    given = f'"GET /v2/images/{cirros["id"]}/file HTTP/1.1"'
    assert evidence.service(abroad, "glance-api", f"{given} 200")
    assert evidence.silent(home, "glance-api", given)


@pytest.mark.usefixtures("fetched")
def test_by_a_scoped_auth_url_alone(home, scoped_url, password, cirros):
    token, catalog = login(scoped_url, password)
    fields = {"X-Auth-Token": token}
    images = send("GET", f"{catalog['image']}/v2/images?name=cirros", headers=fields).json["images"]
    assert [image["id"] for image in images] == [cirros["id"]]
    server = booted(catalog["compute"], images[0]["id"], fields)
    assert active(catalog["compute"], server, fields)
    assert kept(home, server) == cirros["properties"]["os_hash_value"]
    assert send("DELETE", f"{catalog['compute']}/servers/{server}", headers=fields).status == 204


@pytest.mark.usefixtures("fetched")
def test_by_a_header_on_the_post_alone_with_a_token_without_scope(home, password, cirros):
    token, catalog = login(f"{home.beside_url('identity')}/v3", password)
    fields = {"X-Auth-Token": token}
    server = booted(catalog["compute"], cirros["id"], {**fields, "X-Scope": SCOPE})
    assert active(catalog["compute"], server, fields)
    assert kept(home, server) == cirros["properties"]["os_hash_value"]
    assert send("DELETE", f"{catalog['compute']}/servers/{server}", headers=fields).status == 204


def test_without_the_header_the_image_is_not_found(home, password, cirros):
    token, catalog = login(f"{home.beside_url('identity')}/v3", password)
    answer = boot(catalog["compute"], cirros["id"], {"X-Auth-Token": token})
    assert answer.status == 400
    assert "Can not find requested image" in answer.json["badRequest"]["message"]


def curl(method, url, body=None, token=""):
    """What curl says: the answer's fields, and its body as JSON. Secrets go in by a pipe, as all the rest."""
    options = {"request": method, "url": url}
    if body is not None:
        options["data"] = json.dumps(body)
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    lines += ['header = "Content-Type: application/json"'] if body is not None else []
    lines += [f'header = "X-Auth-Token: {token}"'] if token else []
    # For a server without a network.
    lines += ['header = "OpenStack-API-Version: compute 2.37"']
    command = [CURL, "--silent", "--show-error", "--fail", "--globoff", "--include", "--config", "-"]
    said = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True).stdout
    head, _, content = said.replace("\r\n", "\n").partition("\n\n")
    return head, json.loads(content) if content else None


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.usefixtures("fetched")
def test_by_curl_with_a_scoped_auth_url(home, scoped_url, password, cirros):
    default = {"name": "Default"}
    identity = {"password": {"user": {"name": "demo", "password": password, "domain": default}}}
    asked = {"identity": {"methods": ["password"], **identity}, "scope": {"project": PROJECT}}
    head, answer = curl("POST", f"{scoped_url}/auth/tokens", {"auth": asked})
    token = re.search(r"(?im)^x-subject-token: (\S+)$", head)[1]
    catalog = public(answer["token"]["catalog"])
    compute = catalog["compute"]
    _, listed = curl("GET", f"{catalog['image']}/v2/images?name=cirros", token=token)
    assert [image["id"] for image in listed["images"]] == [cirros["id"]]
    _, flavors = curl("GET", f"{compute}/flavors", token=token)
    server = {"name": "by-curl", "imageRef": cirros["id"], "flavorRef": flavors["flavors"][0]["id"]}
    _, made = curl("POST", f"{compute}/servers", {"server": {**server, "networks": "none"}}, token)
    url = f"{compute}/servers/{made['server']['id']}"
    deadline = time.monotonic() + SECONDS
    while (status := curl("GET", url, token=token)[1]["server"]["status"]) == "BUILD":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert status == "ACTIVE"
    assert kept(home, made["server"]["id"]) == cirros["properties"]["os_hash_value"]
    curl("DELETE", url, token=token)


# The SDK warns of its own use of what it will remove.
@pytest.mark.usefixtures("fetched")
@pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK60Warning")
@pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
def test_by_the_sdk_with_a_scoped_auth_url(home, scoped_url, password, cirros):
    connection = openstack.connect(
        load_yaml_config=False,
        auth_url=scoped_url,
        username="demo",
        password=password,
        project_name="demo",
        user_domain_name="Default",
        project_domain_name="Default",
        region_name=home.region,
    )
    image = connection.image.find_image("cirros", ignore_missing=False)
    assert image.id == cirros["id"]
    flavor = connection.compute.find_flavor("m1.small", ignore_missing=False)
    made = connection.compute.create_server(
        name="by-sdk", image_id=image.id, flavor_id=flavor.id, networks="none"
    )
    assert connection.compute.wait_for_server(made, wait=SECONDS).status == "ACTIVE"
    assert kept(home, made.id) == cirros["properties"]["os_hash_value"]
    connection.compute.delete_server(made)
    connection.close()
