"""Operations of a user of cloud-1 with parts in cloud-999, each with one call and no questions in between.

Whether one is over is read in the services' logs: whoever asks Nova makes Nova ask Neutron.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from devstack.lab.api import send
from devstack.lab.passwords import Secrets
from tests.lab.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstack.lab.api import Answer
    from devstack.lab.layout import CloudPlace, Lab

IMAGES_ABROAD = "{keystone:cloud-1;glance:cloud-999}"
VOLUMES_ABROAD = "{keystone:cloud-1;cinder:cloud-999}"
SECONDS = 120.0


class Operations:
    """Of the user demo; each returns the id of its request. `prepare` first, `clean` in the end."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._home, self._abroad = lab.cloud(1), lab.cloud(2)
        self._project = self._token = self._scope = ""
        self._image = self._flavor = self._network = self._server = self._volume = ""
        self._uploaded: list[str] = []

    def prepare(self) -> None:
        """What the operations need to be there."""
        self.sign_in(IMAGES_ABROAD)
        self._flavor = self._get("compute", "/v2.1/flavors")["flavors"][0]["id"]
        self._network = self._get("network", "/v2.0/networks?name=private")["networks"][0]["id"]
        self._image = self._get("image", "/v2/images?name=cirros")["images"][0]["id"]
        self.sign_in(VOLUMES_ABROAD)
        volume = {"size": 1, "name": "calls"}
        made = self._post("block-storage", f"/v3/{self._project}/volumes", {"volume": volume})
        self._volume = made.json["volume"]["id"]
        self._until(self._is_available)

    def sign_in(self, scope: str) -> None:
        """With a token that nobody has seen yet, and the scope in it."""
        default = {"name": "Default"}
        user = {"name": "demo", "password": Secrets(self._home.folder).get("demo"), "domain": default}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {"name": "demo", "domain": default}}}}
        answer = send(
            "POST", f"{self._home.beside_url('identity')}/v3/auth/tokens", body, headers={"X-Scope": scope}
        )
        assert answer.status == 201, answer.status
        self._token = answer.headers["x-subject-token"]
        self._project = answer.json["token"]["project"]["id"]

    def create_server(self) -> str:
        """At cloud-1 with its network, from an image of cloud-999."""
        request, evidence = _request_id(), Evidence(self._lab)
        server = {"name": "calls", "imageRef": self._image, "flavorRef": self._flavor}
        body = {"server": {**server, "networks": [{"uuid": self._network}]}}
        self._server = self._post("compute", "/v2.1/servers", body, request).json["server"]["id"]
        self._logged(evidence, self._home, "nova-compute", self._server, "seconds to build instance")
        return request

    def delete_server(self) -> str:
        """The same."""
        request, evidence = _request_id(), Evidence(self._lab)
        self._call("DELETE", "compute", f"/v2.1/servers/{self._server}", request)
        self._logged(evidence, self._home, "nova-compute", "Deleted allocations for instance", self._server)
        return request

    def upload_image(self) -> str:
        """To cloud-999, in two requests as clients do it."""
        request = _request_id()
        image = {"name": "calls", "disk_format": "raw", "container_format": "bare"}
        made = self._post("image", "/v2/images", image, request).json["id"]
        self._uploaded.append(made)
        kind = {"Content-Type": "application/octet-stream"}
        self._call("PUT", "image", f"/v2/images/{made}/file", request, data=b"calls" * 4096, more=kind)
        return request

    def attach_volume(self) -> str:
        """A volume of cloud-999, to the server of cloud-1."""
        request, evidence = _request_id(), Evidence(self._lab)
        body = {"volumeAttachment": {"volumeId": self._volume}}
        self._post("compute", f"/v2.1/servers/{self._server}/os-volume_attachments", body, request)
        self._logged(evidence, self._abroad, "cinder-api", '"POST /v3/', "/attachments/", "/action HTTP/1.1")
        return request

    def detach_volume(self) -> str:
        """The same."""
        request, evidence = _request_id(), Evidence(self._lab)
        path = f"/v2.1/servers/{self._server}/os-volume_attachments/{self._volume}"
        self._call("DELETE", "compute", path, request)
        self._logged(evidence, self._abroad, "cinder-api", '"DELETE /v3/', "/attachments/", "HTTP/1.1")
        return request

    def clean(self) -> None:
        """Leave nothing."""
        self.sign_in(IMAGES_ABROAD)
        for image in self._uploaded:
            self._call("DELETE", "image", f"/v2/images/{image}", _request_id())
        self.sign_in(VOLUMES_ABROAD)
        self._until(self._is_available)
        path = f"/v3/{self._project}/volumes/{self._volume}"
        self._call("DELETE", "block-storage", path, _request_id())

    def _is_available(self) -> bool:
        volume = self._get("block-storage", f"/v3/{self._project}/volumes/{self._volume}")["volume"]
        return bool(volume["status"] == "available")

    def _logged(self, evidence: Evidence, place: CloudPlace, service: str, text: str, *others: str) -> None:
        """Wait for a line with all of these."""

        def is_there() -> bool:
            lines = evidence.service(place, service, text)
            return any(all(other in line for other in others) for line in lines)

        self._until(is_there)

    def _until(self, done: Any) -> None:
        deadline = time.monotonic() + SECONDS
        while not done():
            assert time.monotonic() < deadline, done
            time.sleep(0.5)

    def _get(self, service: str, path: str) -> Any:
        return self._call("GET", service, path, _request_id()).json

    def _post(self, service: str, path: str, body: Any, request: str = "") -> Answer:
        return self._call("POST", service, path, request or _request_id(), body=body)

    def _call(
        self,
        method: str,
        service: str,
        path: str,
        request: str,
        *,
        body: Any = None,
        data: bytes | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Answer:
        fields = {"X-Auth-Token": self._token, "X-Openstack-Request-Id": request, **(more or {})}
        answer = send(method, self._home.beside_url(service) + path, body, data=data, headers=fields)
        assert answer.status < 300, (method, path, answer.status, answer.body[:300])
        return answer


def _request_id() -> str:
    return f"req-{uuid.uuid4()}"
