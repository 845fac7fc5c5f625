"""Servers and ports need compute, network and placement of one cloud: refuses scopes that tear them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import members
from oidproxy.errors import BadRequest
from oidproxy.routing.completion import COMPUTE, WITH_COMPUTE
from oidproxy.routing.paths import segments
from oidproxy.routing.plans import plan_of
from oidproxy.scope.canonical import canonical_expr

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry
    from oidproxy.routing.carriers import Carriers
    from oidproxy.routing.inbound import Inbound

_CREATES = frozenset({b"servers", b"os-volumes_boot"})


def check_together(inbound: Inbound, carriers: Carriers, cloud: str) -> None:
    """Refuse a server or an attached port whose network or placement is bound to another cloud.

    Nova binds the port, and asks placement, with accounts of its own cloud: such a server could only fail
    later (scope-language: Meaning).

    Raises:
        BadRequest: with the explanation.
        ScopeError: an expression means nothing here.
    """
    place = inbound.place
    if (
        place.service_type != COMPUTE
        or inbound.head.method != "POST"
        or not _needs_both(segments(place.rest))
    ):
        return
    for service_type in sorted(WITH_COMPUTE):
        bound = carriers.binding(service_type)
        if bound is None or bound.expr is None:
            continue
        for one in members(plan_of(bound.expr, service_type, carriers.home, inbound.snapshot)):
            if not _share(inbound.registry, cloud, one.cloud, service_type):
                raise BadRequest(
                    f"The scope binds {service_type} to {canonical_expr(bound.expr)}, but compute to "
                    f"{cloud}: a server needs the {service_type} of its own cloud. Leave {service_type} out "
                    f"of the scope, then it follows compute. (Where {cloud} does share it, its operator "
                    "declares so with `shares`.)"
                )


def _needs_both(path: tuple[bytes, ...]) -> bool:
    """`POST …/servers`, `…/os-volumes_boot` (its old other name) and `…/servers/{id}/os-interface`.

    A project id may stand between version and collection (Compute API: versions).
    """
    below = path[1:]
    if below and below[0] not in _CREATES:
        below = below[1:]
    match below:
        case (collection,):
            return collection in _CREATES
        case (b"servers", _, b"os-interface"):
            return True
        case _:
            return False


def _share(registry: Registry, compute: str, other: str, service_type: str) -> bool:
    if compute == other:
        return True
    return service_type in registry.clouds[compute].shares.get(other, ()) or service_type in registry.clouds[
        other
    ].shares.get(compute, ())
