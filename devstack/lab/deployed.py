"""The two configurations of deploy/ for the lab: at its addresses, with its clouds and projects."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import yaml

from devstack.lab.layout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from devstack.lab.layout import CloudPlace, Lab

FOLDER = REPOSITORY / "deploy"
BESIDE = FOLDER / "beside.yaml"
GATEWAY = FOLDER / "gateway.yaml"
ADDRESS = re.compile(r"\b127\.0\.(\d+\.\d+)\b")
"""Both files have the addresses of a lab at 127.0."""

Settings = dict[str, Any]
"""What stands in a configuration."""


def beside(lab: Lab, clouds: Sequence[CloudPlace]) -> Settings:
    """The proxy beside these clouds: all of them like the two of the file, and with their policy."""
    settings = _read(BESIDE, lab)
    policy = settings["clouds"]["cloud-999"]["admits"]["cloud-1"]
    fronts = [one for one in settings["listeners"] if "cloud" not in one]
    settings["listeners"] = [*fronts, *map(_listener, clouds)]
    settings["clouds"] = {
        place.name: _cloud(settings["clouds"].get(place.name, {}), place, clouds, policy) for place in clouds
    }
    return settings


def gateway(lab: Lab, clouds: Sequence[CloudPlace], mapped: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The proxy in front of clouds that nobody reconfigured.

    `mapped` says, by cloud, what the file cannot know: the ids of the home's projects.
    """
    settings = _read(GATEWAY, lab)
    for place in clouds:
        settings["clouds"][place.name]["region"] = place.region
    for name, homes in mapped.items():
        settings["clouds"][name]["mapped"] = dict(homes)
    return settings


def _read(file: Path, lab: Lab) -> Settings:
    readdressed = ADDRESS.sub(rf"{lab.network}.\1", file.read_text())
    settings: Settings = yaml.safe_load(readdressed)
    return settings


def _listener(place: CloudPlace) -> Settings:
    return {"bind": place.beside, "ports": "openstack", "cloud": place.name}


def _cloud(known: Settings, place: CloudPlace, clouds: Sequence[CloudPlace], policy: Settings) -> Settings:
    own = {"auth_url": f"{place.url('identity')}/v3", "upstream": place.address, "region": place.region}
    # Copied, since YAML would show one object at two places by a reference.
    admits = {other.name: copy.deepcopy(policy) for other in clouds if other != place}
    return {**known, **own, "admits": admits}
