"""A user of cloud-1 whose scopes name several clouds, and what administrators see past the proxy."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from devstack.lab.api import Account, Answer, Api
from devstack.lab.identities import Keystone
from devstack.lab.passwords import Secrets, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from devstack.lab.layout import CloudPlace, Lab

USER = "many"
"""User and project at cloud-1, which no other test works in: what stands there is what these tests made."""

BOTH = "cloud-1&cloud-999"
TOLD = re.compile(r"ok=(\d+);failed=(.*);skipped=(.*)")
ANY = tuple(range(300, 600))
SECONDS = 120.0

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc2U2NGJhc2U2NGJhc2U2NGJhc2U2NGJhc2U2NDY0 many"
RAW = {"disk_format": "raw", "container_format": "bare"}
PATCHES = "application/openstack-images-v2.1-json-patch"


@dataclass(frozen=True, slots=True)
class Told:
    """What X-Scope-Clouds says."""

    ok: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]


def told(answer: Answer) -> Told:
    """Raises AssertionError where the answer says nothing of its clouds."""
    found = TOLD.fullmatch(answer.headers.get("x-scope-clouds", ""))
    assert found, (answer.status, answer.headers, answer.body[:300])
    return Told(int(found[1]), _names(found[2]), _names(found[3]))


def replicas(answer: Answer) -> dict[str, str]:
    """Cloud -> the id of the replica there."""
    return dict(pair.split("=", 1) for pair in answer.headers.get("x-scope-replicas", "").split(",") if pair)


def rows(answer: Answer) -> dict[str, str]:
    """Cloud -> what became of it there, of an answer with a row for each."""
    return {row["cloud"]: row["outcome"] for row in answer.json["clouds"]}


def until(done: Callable[[], Any], what: str = "", seconds: float = SECONDS, pause: float = 0.1) -> Any:
    """What this gives, as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < deadline, what
        time.sleep(pause)
    return found


@dataclass(slots=True)
class Many:
    """The user, at a gateway: the lab's, or that of a further proxy."""

    lab: Lab
    gateway: str
    password: str = field(repr=False)
    user: str = USER
    _api: Api = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._api = Api(f"{self.gateway}/identity/v3", Account(self.user, self.user, self.password))
        self._api.token()

    @property
    def project(self) -> str:
        return self._api.project_id

    @property
    def user_id(self) -> str:
        return self._api.user_id

    def at(self, gateway: str) -> Many:
        """The same user at another gateway, with a token of its own."""
        return Many(self.lab, gateway, self.password, self.user)

    def call(
        self,
        method: str,
        service: str,
        path: str,
        body: Any = None,
        *,
        scope: str = "",
        fine: tuple[int, ...] = (),
        data: bytes | None = None,
        **fields: str,
    ) -> Answer:
        """`{project}` in a path is the user's. Raises LabError for a status from 400 that is not `fine`."""
        headers = {"X-Scope": scope or under(BOTH)} | {
            name.replace("_", "-"): value for name, value in fields.items()
        }
        if data is not None:
            headers.setdefault("Content-Type", "application/octet-stream")
        # Since 2.37 a server may do without networks.
        if service == "compute":
            headers.setdefault("OpenStack-API-Version", "compute 2.67")
        url = f"{self.gateway}/{service}{path.format(project=self.project)}"
        return self._api.call(method, url, body, data=data, headers=headers, fine=fine)

    def get(self, service: str, path: str, **how: Any) -> Any:
        """The answer's document."""
        return self.call("GET", service, path, **how).json

    def make(self, service: str, path: str, body: Any, cloud: str = BOTH) -> dict[str, str]:
        """Made in these clouds; cloud -> its id there."""
        answer = self.call("POST", service, path, body, scope=under(cloud))
        if found := replicas(answer):
            return found
        [made] = (answer.json,) if service == "image" else answer.json.values()
        return {cloud: made["name" if path.endswith("os-keypairs") else "id"]}

    def patch(self, image: str, path: str, value: str, **how: Any) -> Answer:
        """Change one property of an image, or add it."""
        changes = json.dumps([{"op": "add", "path": path, "value": value}]).encode()
        return self.call("PATCH", "image", f"/v2/images/{image}", data=changes, Content_Type=PATCHES, **how)

    def upload(self, image: str, data: bytes, cloud: str = BOTH) -> None:
        self.call("PUT", "image", f"/v2/images/{image}/file", data=data, scope=under(cloud))

    def said_of(self, answer: Answer) -> dict[str, Any]:
        """What became of every cloud of that request, for an hour."""
        path = f"/.well-known/oidproxy/requests/{answer.headers['x-openstack-request-id']}"
        return self._api.call("GET", f"{self.gateway}{path}").json  # type: ignore[no-any-return]

    def locate(self, identity: str, scope: str = "*:*") -> Any:
        url = f"{self.gateway}/.well-known/oidproxy/locate?id={identity}"
        return self._api.call("GET", url, headers={"X-Scope": scope}).json

    def clouds_yaml(self, path: Path) -> Path:
        """A file with this user as `many`, for the real client."""
        place = self.lab.cloud(1)
        default = {"user_domain_name": "Default", "project_domain_name": "Default"}
        auth = {
            "auth_url": f"{self.gateway}/identity/v3",
            "username": self.user,
            "password": self.password,
            "project_name": self.user,
            **default,
        }
        write_private(path, json.dumps({"clouds": {USER: {"auth": auth, "region_name": place.region}}}))
        return path


def under(clouds: str) -> str:
    """All services in these clouds, for a user of cloud-1."""
    return f"*:{clouds};identity:cloud-1"


def many_at_home(lab: Lab) -> Many:
    """The user, made if need be, at the lab's gateway."""
    place = lab.cloud(1)
    secrets = Secrets(place.folder)
    Keystone(place, secrets).project(USER, {USER: ("member",)})
    return Many(lab, lab.gateway_url, secrets.get(USER))


# What the clouds themselves say.

LISTS = {
    "servers": ("compute", "/v2.1/servers/detail?all_tenants=1&project_id={project}"),
    "volumes": ("block-storage", "/v3/{own}/volumes/detail?all_tenants=1&project_id={project}"),
    "networks": ("network", "/v2.0/networks?project_id={project}"),
    "ports": ("network", "/v2.0/ports?project_id={project}"),
    "security_groups": ("network", "/v2.0/security-groups?project_id={project}"),
    "images": ("image", "/v2/images?owner={project}&limit=1000"),
    "keypairs": ("compute", "/v2.1/os-keypairs?user_id={user}"),
}


class Truth:
    """The administrator of one cloud, past every proxy."""

    def __init__(self, place: CloudPlace, many: Many) -> None:
        self.place = place
        self._many = many
        self._api = Api(
            f"{place.url('identity')}/v3", Account("admin", "admin", Secrets(place.folder).get("admin"))
        )
        self._api.token()

    def call(self, method: str, service: str, path: str, body: Any = None, **how: Any) -> Answer:
        headers = {"OpenStack-API-Version": "compute 2.67"} if service == "compute" else {}
        path = path.format(own=self._api.project_id, project=self._many.project, user=self._many.user_id)
        return self._api.call(method, self.place.url(service) + path, body, headers=headers, **how)

    def held(self, what: str, name: str | None = None) -> list[dict[str, Any]]:
        """What the user's project (or the user) holds there, of this name."""
        service, path = LISTS[what]
        every = self.call("GET", service, path).json[what]
        found = [row.get("keypair", row) for row in every]
        return [row for row in found if name is None or row["name"] == name]

    def count(self, what: str, name: str) -> int:
        return len(self.held(what, name))


def counts(truths: Iterable[Truth], what: str, name: str) -> tuple[int, ...]:
    """How many of this name each cloud holds."""
    return tuple(truth.count(what, name) for truth in truths)


def _names(text: str) -> tuple[str, ...]:
    return () if text == "0" else tuple(text.split(","))
