"""Everything that a user of one cloud does at another: what the other cloud's services see is looked at."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from tests.lab.trust_calls import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstack.lab.layout import CloudPlace
    from tests.lab.trust_calls import Answer, Lines

IMAGE = {"disk_format": "raw", "container_format": "bare"}
MICROVERSION = {"OpenStack-API-Version": "compute 2.37"}
OCTETS = {"Content-Type": "application/octet-stream"}
GONE: Mapping[str, Any] = {"status": "gone"}


class Work:
    """A user of `home` under one scope, who talks to the proxy beside home only."""

    def __init__(self, lines: Lines, home: CloudPlace, token: str, scope: str) -> None:
        self._lines = lines
        self._home = home
        self._fields = {"X-Auth-Token": token, "X-Scope": scope}

    def call(
        self, service: str, method: str, path: str, body: Any = None, *, fine: int = 0, **more: Any
    ) -> Answer:
        fields = {**self._fields, **more.get("fields", {})}
        answer = self._lines.send(self._home.beside, service, method, path, fields, body)
        assert answer.status < 300 or answer.status == fine, (service, method, path, answer)
        return answer

    # Images.

    def image_id(self, name: str) -> str:
        return str(self.call("image", "GET", f"/v2/images?name={name}").json["images"][0]["id"])

    def image(self) -> None:
        """One is created, uploaded, downloaded, deleted."""
        content = hashlib.shake_256(uuid.uuid4().bytes).digest(1024 * 1024)
        made = self.call("image", "POST", "/v2/images", {"name": "replayed", **IMAGE}).json["id"]
        self.call("image", "PUT", f"/v2/images/{made}/file", content, fields=OCTETS)
        assert self.call("image", "GET", f"/v2/images/{made}/file").body == content
        self.delete_image(made)

    def delete_image(self, image: str) -> None:
        self.call("image", "DELETE", f"/v2/images/{image}")

    # Servers.

    def server(self, image: str, networks: Any = "none") -> str:
        flavor = self.call("compute", "GET", "/v2.1/flavors").json["flavors"][0]["id"]
        asked = {"name": "replayed", "imageRef": image, "flavorRef": flavor, "networks": networks}
        answer = self.call("compute", "POST", "/v2.1/servers", {"server": asked}, fields=MICROVERSION)
        made = answer.json["server"]["id"]
        until(lambda: self._server(made)["status"] != "BUILD", "the server is still being built")
        assert self._server(made)["status"] == "ACTIVE"
        return str(made)

    def _server(self, server: str) -> Mapping[str, Any]:
        answer = self.call("compute", "GET", f"/v2.1/servers/{server}", fine=404)
        return GONE if answer.status == 404 else answer.json["server"]

    def delete_server(self, server: str) -> None:
        self.call("compute", "DELETE", f"/v2.1/servers/{server}")
        until(lambda: self._server(server) is GONE, "the server is not gone")

    def snapshot(self, server: str) -> str:
        """The image that is made of a server."""
        name = f"snapshot-{uuid.uuid4().hex}"
        self.call("compute", "POST", f"/v2.1/servers/{server}/action", {"createImage": {"name": name}})
        path = f"/v2/images?name={name}&status=active"
        return str(until(lambda: self.call("image", "GET", path).json["images"], "no snapshot")[0]["id"])

    def network(self) -> str:
        made = self.call("network", "POST", "/v2.0/networks", {"network": {"name": "replayed"}})
        network = made.json["network"]["id"]
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.99.0.0/24"}
        self.call("network", "POST", "/v2.0/subnets", {"subnet": subnet})
        return str(network)

    def delete_network(self, network: str) -> None:
        self.call("network", "DELETE", f"/v2.0/networks/{network}")

    # Volumes.

    def volume(self, image: str) -> str:
        asked = {"size": 1, "imageRef": image}
        made = self.call("block-storage", "POST", "/v3/volumes", {"volume": asked}).json["volume"]["id"]
        self._until_volume(made, "available")
        return str(made)

    def attached_and_detached(self, server: str, volume: str) -> None:
        path = f"/v2.1/servers/{server}/os-volume_attachments"
        self.call("compute", "POST", path, {"volumeAttachment": {"volumeId": volume}})
        self._until_volume(volume, "in-use")
        self.call("compute", "DELETE", f"{path}/{volume}")
        self._until_volume(volume, "available")

    def delete_volume(self, volume: str) -> None:
        self.call("block-storage", "DELETE", f"/v3/volumes/{volume}")
        until(lambda: self._volume(volume) is GONE, "the volume is not gone")

    def _until_volume(self, volume: str, status: str) -> None:
        until(lambda: self._volume(volume)["status"] in (status, "error"), f"the volume is not {status}")
        assert self._volume(volume)["status"] == status

    def _volume(self, volume: str) -> Mapping[str, Any]:
        answer = self.call("block-storage", "GET", f"/v3/volumes/{volume}", fine=404)
        return GONE if answer.status == 404 else answer.json["volume"]


def everything(lines: Lines, home: CloudPlace, token: str) -> None:
    """Images, servers, snapshots and volumes whose parts are in both clouds, made and taken away again."""
    _images_abroad(Work(lines, home, token, "{keystone:cloud-1;glance:cloud-999}"))
    _compute_abroad(Work(lines, home, token, "{keystone:cloud-1;nova:cloud-999}"), home)
    _volumes_abroad(Work(lines, home, token, "{keystone:cloud-1;cinder:cloud-999}"), home)
    _all_abroad(Work(lines, home, token, "{keystone:cloud-1;nova+glance+cinder:cloud-999}"))


def _images_abroad(work: Work) -> None:
    work.image()
    server = work.server(work.image_id("cirros"))
    work.delete_image(work.snapshot(server))
    work.delete_server(server)


def _compute_abroad(work: Work, home: CloudPlace) -> None:
    network = work.network()
    server = work.server(work.image_id(f"image-of-{home.name}"), [{"uuid": network}])
    work.delete_server(server)
    work.delete_network(network)


def _volumes_abroad(work: Work, home: CloudPlace) -> None:
    image = work.image_id(f"image-of-{home.name}")
    server, volume = work.server(image), work.volume(image)
    work.attached_and_detached(server, volume)
    work.delete_volume(volume)
    work.delete_server(server)


def _all_abroad(work: Work) -> None:
    image = work.image_id("cirros")
    server, volume = work.server(image), work.volume(image)
    work.attached_and_detached(server, volume)
    work.delete_volume(volume)
    work.delete_server(server)
