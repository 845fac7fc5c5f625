"""What a cloud has to begin with, and waiting until it could use it: a flavor, images, a network."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from devstack.lab.api import Account, Api
from devstack.lab.readiness import wait
from devstack.lab.services import all_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstack.lab.layout import CloudPlace, Lab
    from devstack.lab.passwords import Secrets

FLAVOR = {"name": "m1.small", "ram": 128, "vcpus": 1, "disk": 1}
IMAGE_BYTES = 8 * 1024 * 1024
NETWORK = "private"


class Contents:
    """One cloud, asked by its administrator where its services are asked: through a proxy beside it."""

    def __init__(self, lab: Lab, place: CloudPlace, secrets: Secrets) -> None:
        self._place = place
        self._processes = {one.name: one.process for one in all_of(lab, place)}
        auth_url = f"{place.front_url('identity')}/v3"
        self._admin = Api(auth_url, Account("admin", "admin", secrets.get("admin")))
        self._demo = Api(auth_url, Account("demo", "demo", secrets.get("demo")))

    def fill(self) -> None:
        """Make whatever is not there yet. Raises LabError."""
        if "compute" in self._place.services:
            self._flavor()
        for name in images(self._place):
            self._image(name)
        if "network" in self._place.services:
            self._network()

    def wait(self) -> None:
        """Wait until servers can be created, and volumes. Raises LabError with the end of a log."""
        for name, done in (("nova-compute", self._hypervisor_up), ("cinder-volume", self._volumes_up)):
            if name in self._processes:
                self._wait_up(name, done)

    def _wait_up(self, name: str, done: Any) -> None:  # noqa: ANN401
        process = self._processes[name]
        wait(done, f"{self._place.name}: {name} is not up", process.log, process.check)

    def _hypervisor_up(self) -> bool:
        answer = self._admin.call("GET", self._url("compute", "/v2.1/os-hypervisors/detail"), fine=(500, 503))
        return answer.status == 200 and any(one["state"] == "up" for one in answer.json["hypervisors"])

    def _volumes_up(self) -> bool:
        self._admin.token()
        path = f"/v3/{self._admin.project_id}/os-services?binary=cinder-volume"
        services = self._admin.call("GET", self._url("block-storage", path)).json["services"]
        return any(one["state"] == "up" for one in services)

    def _flavor(self) -> None:
        flavors = self._admin.call("GET", self._url("compute", "/v2.1/flavors")).json["flavors"]
        if all(one["name"] != FLAVOR["name"] for one in flavors):
            self._admin.call("POST", self._url("compute", "/v2.1/flavors"), {"flavor": FLAVOR})

    def _image(self, name: str) -> None:
        url = self._url("image", "/v2/images")
        there = self._admin.call("GET", f"{url}?name={name}&status=active").json["images"]
        if there:
            return
        body = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        made = self._admin.call("POST", url, body).json["id"]
        kind = {"Content-Type": "application/octet-stream"}
        self._admin.call("PUT", f"{url}/{made}/file", data=image(name), headers=kind)

    def _network(self) -> None:
        networks = self._url("network", "/v2.0/networks")
        if self._demo.call("GET", f"{networks}?name={NETWORK}").json["networks"]:
            return
        made = self._demo.call("POST", networks, {"network": {"name": NETWORK}}).json["network"]["id"]
        cidr = f"10.{self._place.number}.0.0/24"
        subnet: Mapping[str, Any] = {"network_id": made, "name": NETWORK, "ip_version": 4, "cidr": cidr}
        self._demo.call("POST", self._url("network", "/v2.0/subnets"), {"subnet": subnet})

    def _url(self, service_type: str, path: str) -> str:
        return self._place.front_url(service_type) + path


def images(place: CloudPlace) -> tuple[str, ...]:
    """A cloud's public images: one that is called after it, and further ones that are its own."""
    return (f"image-of-{place.name}", *place.images)


def image(name: str) -> bytes:
    """An image's bytes: never the same for two names, always the same for one."""
    return hashlib.shake_256(name.encode()).digest(IMAGE_BYTES)
