"""What clients of the lab sign in with: a clouds.yaml with every cloud's users, and the gateways."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from devstack.lab import mapped
from devstack.lab.passwords import Secrets, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstack.lab.layout import CloudPlace, Lab

PROJECTS = {"demo": "demo", "viewer": "demo", "admin": "admin"}

Entry = tuple[str, dict[str, Any]]


def write(lab: Lab, clouds: Sequence[CloudPlace], edges: Sequence[CloudPlace]) -> None:
    """`<cloud>` is its user demo, `<cloud>-viewer` a reader, `<cloud>-admin` its administrator.

    `gateway` is the first cloud's demo in front of all. The users of clouds that nobody reconfigured sign in
    at the gateway in front of those, by a scoped auth URL; `<cloud>-direct` and `<cloud>-admin` go past it.
    """
    entries = dict(entry for place in clouds for entry in _beside(place))
    first = f"{lab.gateway_url}/identity/v3"
    entries["gateway"] = _entry(clouds[0], first, "demo", PROJECTS["demo"])
    entries.update(entry for place in edges for entry in _edge(lab, place))
    # JSON is YAML, and needs no package.
    write_private(lab.clouds_yaml, json.dumps({"clouds": entries}, indent=1) + "\n")


def _beside(place: CloudPlace) -> Iterator[Entry]:
    auth_url = f"{place.beside_url('identity')}/v3"
    for user, project in PROJECTS.items():
        name = place.name if user == "demo" else f"{place.name}-{user}"
        yield name, _entry(place, auth_url, user, project)


def _edge(lab: Lab, place: CloudPlace) -> Iterator[Entry]:
    scope = quote(f"{{keystone:{place.name}}}", safe="")
    through, past = f"{lab.edge_gateway_url}/s/{scope}/identity/v3", f"{place.url('identity')}/v3"
    yield place.name, _entry(place, through, "demo", "demo")
    yield f"{place.name}-viewer", _entry(place, through, "viewer", "demo")
    yield f"{place.name}-direct", _entry(place, past, "demo", "demo")
    yield f"{place.name}-admin", _entry(place, past, "admin", "admin")
    if place.name == mapped.HOME:
        yield f"{place.name}-watcher", _entry(place, through, "viewer", "watchers")
    if place.name == mapped.TARGET:
        yield f"{place.name}-guest", _entry(place, past, mapped.GUEST, mapped.GUEST)


def _entry(place: CloudPlace, auth_url: str, user: str, project: str) -> dict[str, Any]:
    auth = {
        "auth_url": auth_url,
        "username": user,
        "password": Secrets(place.host.folder).get(user),
        "project_name": project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    return {"auth": auth, "region_name": place.region, "identity_api_version": "3"}
