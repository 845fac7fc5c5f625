"""Where the services of a cloud find each other: what stands of that in their files and in the catalog.

Of a cloud with the proxy beside it `oidproxy cloud config` says this; of one that nobody reconfigured, this
module: only its own addresses, as its operator had them before there was any proxy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstack.lab.layout import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from devstack.lab.ini import Sections
    from devstack.lab.layout import CloudPlace

PATHS = {"identity": "/v3", "compute": "/v2.1", "block-storage": "/v3/%(project_id)s"}
"""What an endpoint's URL has behind the port."""

CATALOGED = {"block-storage": ("volumev3", "cinderv3")}
"""Official type -> type and name in the catalog, where clouds in use have others than type and project.

Nova looks for `volumev3` by default (`[cinder] catalog_info`).
"""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a cloud's own half of its configuration lacks."""

    auth_url: str
    """Keystone's, as services and catalog have it."""
    files: Mapping[str, Sections]
    """File -> section -> key -> value."""
    endpoints: Sequence[Mapping[str, str]]
    """`type`, `name`, `region`, `interface` and `url` of each."""


def without_proxy(place: CloudPlace) -> Surroundings:
    """A cloud as it is where nobody has heard of the proxy."""
    auth_url = f"{place.url('identity')}{PATHS['identity']}"
    return Surroundings(auth_url, _files(place, auth_url), tuple(_endpoints(place)))


def _files(place: CloudPlace, auth_url: str) -> dict[str, Sections]:
    # The region stands everywhere: a Keystone that is shared has endpoints of several.
    told = {"auth_url": auth_url, "region_name": place.region}
    user = {**told, "send_service_user_token": "true"}
    volumes, _ = CATALOGED["block-storage"]
    token = {
        "keystone_authtoken": {
            "www_authenticate_uri": auth_url,
            **told,
            "service_token_roles": "service",
            "service_token_roles_required": "true",
        }
    }
    return {
        "glance-api.conf": token,
        "placement.conf": token,
        "nova.conf": {
            **token,
            "service_user": user,
            "neutron": told,
            "placement": told,
            "glance": {"region_name": place.region},
            "cinder": {"os_region_name": place.region},
        },
        "neutron.conf": {**token, "nova": told, "placement": told},
        "cinder.conf": {
            # Where a credential has access rules, keystonemiddleware looks for this type in the catalog.
            "keystone_authtoken": {**token["keystone_authtoken"], "service_type": volumes},
            "service_user": user,
            **({"nova": told} if "compute" in place.services else {}),
            # From the catalog Cinder takes the first region that is there.
            "DEFAULT": {"glance_api_servers": place.url("image")},
        },
    }


def _endpoints(place: CloudPlace) -> Iterator[Mapping[str, str]]:
    # Of a Keystone that is shared each region has an endpoint, so that clients find it in theirs.
    for service_type in dict.fromkeys(("identity", *place.services)):
        kind, name = CATALOGED.get(service_type, (service_type, KINDS[service_type].project))
        url = place.url(service_type) + PATHS.get(service_type, "")
        for interface in ("public", "internal", "admin"):
            yield {
                "type": kind,
                "name": name,
                "region": place.region,
                "interface": interface,
                "url": url,
            }
