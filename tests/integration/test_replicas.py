"""One resource in two simulated clouds, made, changed and deleted through the proxy: real processes."""

from __future__ import annotations

import time

import pytest

from devstack.lab.api import Account, Api
from oidproxy.cli.demonstration.embedded import Embedded
from oidproxy.cli.demonstration.story import generate

CLOUDS = ("cloud-1", "cloud-999")
SCOPE = "*:cloud-1&cloud-999;identity:cloud-1"
SECONDS = 30.0
PORTS = {"compute": 8774, "image": 9292, "network": 9696, "block-storage": 8776}
NAMES = ("cirros", "debian")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    images = {name: generate(folder / f"{name}.img", 2).path for name in NAMES}
    embedded = Embedded(folder / "lab", images=dict.fromkeys(CLOUDS, images), workers=2)
    embedded.start()
    yield embedded
    embedded.stop()


class Caller:
    """The user demo of cloud-1, at both clouds and past the proxy at each."""

    def __init__(self, lab):
        self.lab = lab
        account = Account("demo", "demo", lab.password)
        self.api = Api(f"{lab.places.gateway_url}/s/{SCOPE}/identity/v3", account)
        self.admins = {
            name: Api(f"http://{lab.place(name).address}:5000/v3", Account("admin", "admin", lab.password))
            for name in CLOUDS
        }

    def __call__(self, method, service, path, body=None, **more):
        return self.api.call(method, f"{self.lab.places.gateway_url}/{service}{path}", body, **more)

    def replicas(self, answer):
        return dict(pair.split("=") for pair in answer.headers["x-scope-replicas"].split(","))

    def here(self, cloud, service, path, **more):
        """What an administrator of a cloud sees there."""
        url = f"http://{self.lab.place(cloud).address}:{PORTS[service]}{path}"
        return self.admins[cloud].call("GET", url, **more)

    def ids(self, cloud, service, path, key):
        return {one["id"] for one in self.here(cloud, service, path).json[key]}


@pytest.fixture(scope="module")
def call(lab):
    return Caller(lab)


def test_a_server_is_made_of_each_clouds_own_image_and_flavor_on_its_own_network(call):
    image = call("GET", "image", "/v2/images?name=cirros").json["images"][0]["id"]
    flavor = call("GET", "compute", "/v2.1/flavors").json["flavors"][0]["id"]
    before = {cloud: call.ids(cloud, "network", "/v2.0/ports", "ports") for cloud in CLOUDS}
    body = {"server": {"name": "twice", "imageRef": image, "flavorRef": flavor}}
    made = call("POST", "compute", "/v2.1/servers", body)
    ids = call.replicas(made)
    assert list(ids) == [*CLOUDS]
    assert made.json["server"]["id"] == ids["cloud-1"]
    for cloud in CLOUDS:
        found = active(call, cloud, ids[cloud])
        assert found["image"]["id"] in call.ids(cloud, "image", "/v2/images", "images")
        ports = call.ids(cloud, "network", "/v2.0/ports", "ports") - before[cloud]
        assert len(ports) == 1, "what Nova asks of Neutron stays in its cloud"
    call("PUT", "compute", f"/v2.1/servers/{ids['cloud-999']}", {"server": {"name": "renamed"}})
    for cloud in CLOUDS:
        server = call.here(cloud, "compute", f"/v2.1/servers/{ids[cloud]}").json["server"]
        assert server["name"] == "renamed"
    call("POST", "compute", f"/v2.1/servers/{ids['cloud-1']}/action", {"os-stop": None})
    assert call("DELETE", "compute", f"/v2.1/servers/{ids['cloud-1']}").status == 204
    for cloud in CLOUDS:
        gone(call, cloud, ids[cloud])


def active(call, cloud, server):
    deadline = time.monotonic() + SECONDS
    while True:
        found = call.here(cloud, "compute", f"/v2.1/servers/{server}").json["server"]
        if found["status"] == "ACTIVE":
            return found
        assert found["status"] != "ERROR", found.get("fault")
        assert time.monotonic() < deadline
        time.sleep(0.1)


def gone(call, cloud, server):
    deadline = time.monotonic() + SECONDS
    while call.here(cloud, "compute", f"/v2.1/servers/{server}", fine=(404,)).status != 404:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_image_and_its_data_are_in_both_clouds_under_one_id(call):
    body = {"name": "both", "disk_format": "raw", "container_format": "bare"}
    ids = call.replicas(call("POST", "image", "/v2/images", body))
    [image] = set(ids.values())
    data = bytes(range(256)) * 4096
    answer = call(
        "PUT",
        "image",
        f"/v2/images/{image}/file",
        data=data,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert answer.status == 204
    shown = call("GET", "image", f"/v2/images/{image}").json
    assert (shown["status"], shown["size"]) == ("active", len(data))
    hashes = {call.here(c, "image", f"/v2/images/{image}").json["os_hash_value"] for c in CLOUDS}
    assert len(hashes) == 1
    assert call("DELETE", "image", f"/v2/images/{image}").status == 204
    for cloud in CLOUDS:
        assert call.here(cloud, "image", f"/v2/images/{image}", fine=(404,)).status == 404


def test_a_network_its_subnet_and_a_volume_are_replicas_of_each_other(call):
    ids = call.replicas(call("POST", "network", "/v2.0/networks", {"network": {"name": "both"}}))
    subnet = {"subnet": {"network_id": ids["cloud-999"], "ip_version": 4, "cidr": "10.9.0.0/24"}}
    subnets = call.replicas(call("POST", "network", "/v2.0/subnets", subnet))
    for cloud in CLOUDS:
        found = call.here(cloud, "network", f"/v2.0/subnets/{subnets[cloud]}").json["subnet"]
        assert found["network_id"] == ids[cloud]
    path = f"/v3/{call.api.project_id}/volumes"
    volumes = call.replicas(call("POST", "block-storage", path, {"volume": {"size": 1, "name": "both"}}))
    assert len(set(volumes.values())) == 2
    for cloud in CLOUDS:
        project = call.admins[cloud]
        project.token()
        shown = call.here(cloud, "block-storage", f"/v3/{project.project_id}/volumes/{volumes[cloud]}")
        assert shown.json["volume"]["name"] == "both"
    assert call("DELETE", "network", f"/v2.0/subnets/{subnets['cloud-1']}").status == 204
    assert call("DELETE", "network", f"/v2.0/networks/{ids['cloud-1']}").status == 204


def test_when_one_cloud_refuses_nothing_is_left_in_the_other(call):
    before = {cloud: call.ids(cloud, "network", "/v2.0/networks", "networks") for cloud in CLOUDS}
    answer = call("POST", "network", "/v2.0/networks", {"network": {"mtu": 1500, "nonsense": 1}}, fine=(400,))
    assert {row["outcome"] for row in answer.json["clouds"]} == {"not made"}
    after = {cloud: call.ids(cloud, "network", "/v2.0/networks", "networks") for cloud in CLOUDS}
    assert after == before
