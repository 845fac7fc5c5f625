"""Accounts at one cloud for users of another, as their gateway's operator makes them.

At edge-2 users of edge-1 are one user, `from-edge-1`; an application credential for each project that they
come from has no more roles than they may have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from devstack.lab.api import Account, Api
from devstack.lab.identities import Keystone
from devstack.lab.passwords import Secrets, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devstack.lab.layout import CloudPlace, Lab

HOME = "edge-1"
TARGET = "edge-2"
GUEST = "from-edge-1"
"""User and project at the target."""


@dataclass(frozen=True, slots=True)
class Credential:
    """An application credential."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Origin:
    """A project of the home that is mapped, and the users with their roles that it gets for that."""

    project: str
    users: Mapping[str, Sequence[str]]
    entry: str
    """The gateway's entry of clouds.yaml for it."""
    role: str
    """What that one's credential has."""


ORIGINS = (
    Origin("demo", {}, "edge-2-for-demo", "member"),
    Origin("watchers", {"viewer": ("reader",)}, "edge-2-for-watchers", "reader"),
)
"""Project `demo` and its users are there without this."""


def prepare(lab: Lab, clouds: Sequence[CloudPlace]) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Make whatever is not there yet, and the gateway's clouds.yaml.

    Answers with what `mapped:` has to say: target -> home -> project id there -> entry. Raises LabError.
    """
    named = {place.name: place for place in clouds}
    home, target = named[HOME], named[TARGET]
    secrets = Secrets(target.folder)
    Keystone(target, secrets).project(GUEST, {GUEST: ("member",)})
    guest = Api(f"{target.url('identity')}/v3", Account(GUEST, GUEST, secrets.get(GUEST)))
    made = {one.entry: _made(target, guest, one, secrets.get(one.entry)) for one in ORIGINS}
    write(lab, target, made)
    there = Keystone(home, Secrets(home.folder))
    projects = {there.project(origin.project, origin.users): origin.entry for origin in ORIGINS}
    return {TARGET: {HOME: projects}}


def write(lab: Lab, target: CloudPlace, credentials: Mapping[str, Credential]) -> None:
    """The gateway's clouds.yaml, with a credential of the target for each entry, and its secure.yaml."""
    auth_url = f"{target.url('identity')}/v3"
    public = {
        entry: {
            "auth_type": "v3applicationcredential",
            "auth": {"auth_url": auth_url, "application_credential_id": one.id},
            "region_name": target.region,
        }
        for entry, one in credentials.items()
    }
    secret = {
        entry: {"auth": {"application_credential_secret": one.secret}} for entry, one in credentials.items()
    }
    for name, entries in (("clouds.yaml", public), ("secure.yaml", secret)):
        # JSON is YAML.
        write_private(lab.edge_folder / name, json.dumps({"clouds": entries}, indent=1) + "\n")


def _made(target: CloudPlace, guest: Api, origin: Origin, secret: str) -> Credential:
    guest.token()
    url = f"{target.url('identity')}/v3/users/{guest.user_id}/application_credentials"
    name = origin.entry
    there: list[dict[str, Any]] = guest.call("GET", f"{url}?name={name}").json["application_credentials"]
    if not there:
        wanted = {"name": name, "secret": secret, "roles": [{"name": origin.role}]}
        body = {"application_credential": wanted}
        there = [guest.call("POST", url, body).json["application_credential"]]
    return Credential(str(there[0]["id"]), secret)
