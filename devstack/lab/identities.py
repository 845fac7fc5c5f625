"""What a new Keystone is given: keys, the first administrator, the services' accounts, users, the catalog."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

from devstack.lab.api import Account, Api
from devstack.lab.passwords import write_private
from devstack.lab.processes import run
from devstack.lab.services import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from devstack.lab.layout import CloudPlace, Lab
    from devstack.lab.passwords import Secrets

USERS = {"demo": ("member",), "viewer": ("reader",)}
"""The users of project `demo`, with their roles; `admin` has a project of its own."""


def write_keys(place: CloudPlace) -> None:
    """Fernet keys 0 (staged) and 1 (primary) for tokens and for credentials, as keystone-manage does."""
    for repository in ("fernet", "credential"):
        folder = place.data / "keystone" / repository
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in ("0", "1"):
            if not (folder / number).exists():
                write_private(folder / number, base64.urlsafe_b64encode(os.urandom(32)).decode())


def bootstrap(lab: Lab, place: CloudPlace, secrets: Secrets, identity_url: str) -> None:
    """Roles, domain, the administrator, and Keystone's own endpoints, once. Raises LabError."""
    mark = place.folder / "bootstrapped"
    if mark.exists():
        return
    urls = [f"--bootstrap-{interface}-url={identity_url}" for interface in ("public", "internal", "admin")]
    run(
        [
            *(lab.program("keystone-manage"), "--config-file", str(place.etc / "keystone.conf"), "bootstrap"),
            *("--bootstrap-region-id", place.region, *urls),
        ],
        place.logs / "set-up-keystone-manage.log",
        # By the environment: every user of the machine can read a command line.
        {**environment(lab, place), "OS_BOOTSTRAP_PASSWORD": secrets.get("admin")},
        cwd=place.folder,
    )
    mark.touch()


class Keystone:
    """The Keystone of a cloud that has one, asked by its administrator, past the proxy."""

    def __init__(self, place: CloudPlace, secrets: Secrets) -> None:
        self._url = f"{place.url('identity')}/v3"
        self._api = Api(self._url, Account("admin", "admin", secrets.get("admin")))
        self._secrets = secrets
        self._known: dict[str, dict[str, str]] = {}
        self._roles = {role["name"]: role["id"] for role in self._list("roles")}

    def fill(self, accounts: Iterable[str], endpoints: Sequence[Mapping[str, str]]) -> None:
        """Make whatever is not there yet of a cloud, its own or a guest. Raises LabError."""
        self._regions(endpoints)
        self._catalog(endpoints)
        self.project("service", dict.fromkeys(accounts, ("admin", "service")))
        self.project("demo", USERS)

    def project(self, name: str, users: Mapping[str, Sequence[str]]) -> str:
        """A project and its users with their roles; the project's id. Raises LabError."""
        project = self._named("project", name, {})
        there = {
            (one["user"]["id"], one["role"]["id"])
            for one in self._list(f"role_assignments?scope.project.id={project}")
            if "user" in one
        }
        for user, roles in users.items():
            who = self._named("user", user, {"password": self._secrets.get(user)})
            for role in {self._roles[role] for role in roles} - {role for one, role in there if one == who}:
                self._api.call("PUT", f"{self._url}/projects/{project}/users/{who}/roles/{role}")
        return project

    def _regions(self, endpoints: Sequence[Mapping[str, str]]) -> None:
        known = {region["id"] for region in self._list("regions")}
        for region in {one["region"] for one in endpoints} - known:
            self._make("region", {"id": region})

    def _catalog(self, endpoints: Sequence[Mapping[str, str]]) -> None:
        services = {service["type"]: service["id"] for service in self._list("services")}
        there = {
            (one["service_id"], one["region_id"], one["interface"]): one for one in self._list("endpoints")
        }
        for one in endpoints:
            if one["type"] not in services:
                services[one["type"]] = self._make("service", {"type": one["type"], "name": one["name"]})
            self._endpoint(one, services[one["type"]], there)

    def _endpoint(self, one: Mapping[str, str], service: str, there: Mapping[Any, Any]) -> None:
        known = there.get((service, one["region"], one["interface"]))
        if known is None:
            made = {"service_id": service, "interface": one["interface"], "region_id": one["region"]}
            self._make("endpoint", {**made, "url": one["url"]})
        elif known["url"] != one["url"]:
            self._api.call("PATCH", f"{self._url}/endpoints/{known['id']}", {"endpoint": {"url": one["url"]}})

    def _named(self, kind: str, name: str, more: Mapping[str, str]) -> str:
        if kind not in self._known:
            self._known[kind] = {str(one["name"]): str(one["id"]) for one in self._list(f"{kind}s")}
        known = self._known[kind]
        if name not in known:
            known[name] = self._make(kind, {"name": name, "domain_id": "default", **more})
        return known[name]

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._api.call("GET", f"{self._url}/{path}").json[
            path.partition("?")[0]
        ]
        return found

    def _make(self, kind: str, body: Mapping[str, str]) -> str:
        return str(self._api.call("POST", f"{self._url}/{kind}s", {kind: body}).json[kind]["id"])
