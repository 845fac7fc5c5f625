"""What clients of the lab sign in with: a clouds.yaml with every cloud's users, and the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from devstack.lab.passwords import Secrets, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstack.lab.layout import CloudPlace, Lab

PROJECTS = {"demo": "demo", "viewer": "demo", "admin": "admin"}


def write(lab: Lab, clouds: Sequence[CloudPlace]) -> None:
    """`<cloud>` is its user demo, `<cloud>-admin` its administrator; `gateway` is the first demo there."""
    entries = dict(entry for place in clouds for entry in _entries(place))
    first = dict(entries[clouds[0].name])
    first["auth"] = {**first["auth"], "auth_url": f"{lab.gateway_url}/identity/v3"}
    # JSON is YAML, and needs no package.
    write_private(lab.clouds_yaml, json.dumps({"clouds": {**entries, "gateway": first}}, indent=1) + "\n")


def _entries(place: CloudPlace) -> Iterator[tuple[str, dict[str, Any]]]:
    secrets = Secrets(place.folder)
    for user, project in PROJECTS.items():
        name = place.name if user == "demo" else f"{place.name}-{user}"
        auth = {
            "auth_url": f"{place.beside_url('identity')}/v3",
            "username": user,
            "password": secrets.get(user),
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        yield name, {"auth": auth, "region_name": place.region, "identity_api_version": "3"}
