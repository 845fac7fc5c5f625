"""The ports that OpenStack's services listen on by default, and the paths that their catalog URLs end with.

Ports: "Firewalls and default ports" of OpenStack's installation guide, where Placement and the CloudWatch API
have each other's number by mistake: Placement's own guide says 8778. Paths: the `endpoint create` lines of
each project's installation guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.addresses import PROJECT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Standard:
    """Where a service stands by default."""

    port: int
    suffix: str = ""


STANDARD: Mapping[str, Standard] = MappingProxyType(
    {
        "identity": Standard(5000, "/v3"),
        "image": Standard(9292),
        "compute": Standard(8774, "/v2.1"),
        "network": Standard(9696),
        "placement": Standard(8778),
        "block-storage": Standard(8776, f"/v3/{PROJECT_ID}"),
        "accelerator": Standard(6666, "/v2"),
        "alarm": Standard(8042),
        "application-container": Standard(9517, "/v1"),
        "baremetal": Standard(6385),
        "container-infrastructure-management": Standard(9511, "/v1"),
        "database": Standard(8779, f"/v1.0/{PROJECT_ID}"),
        "dns": Standard(9001),
        "instance-ha": Standard(15868, f"/v1/{PROJECT_ID}"),
        "key-manager": Standard(9311),
        "load-balancer": Standard(9876),
        "metric": Standard(8041),
        "nfv-orchestration": Standard(9890),
        "object-store": Standard(8080, f"/v1/AUTH_{PROJECT_ID}"),
        "orchestration": Standard(8004, f"/v1/{PROJECT_ID}"),
        "rating": Standard(8889),
        "reservation": Standard(1234, "/v1"),
        "root-cause-analysis": Standard(8999),
        "shared-file-system": Standard(8786, "/v2"),
        "workflow": Standard(8989, "/v2"),
    }
)
"""Official type -> its standard port and the end of its catalog URL. No port stands twice."""

CORE = ("identity", "image", "compute", "network", "placement", "block-storage")
"""What a cloud known only by its address is taken to have: a server needs these and nothing else."""

PORTS: Mapping[str, int] = MappingProxyType({name: standard.port for name, standard in STANDARD.items()})
