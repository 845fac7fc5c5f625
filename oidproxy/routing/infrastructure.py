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


def check_together(inbound: Inbound, carriers: Carriers, *clouds: str) -> None:
    """Refuse a server or an attached port whose network or placement is bound to another cloud.

    Nova binds the port, and asks placement, with accounts of its own cloud: such a server could only fail
    later (scope-language: Meaning). With several clouds each has to have a network of the scope, and each
    network one of the clouds.

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
        plan = plan_of(bound.expr, service_type, carriers.home, inbound.snapshot)
        others = tuple(dict.fromkeys(one.cloud for one in members(plan)))
        torn = _torn(inbound.registry, clouds, others, service_type)
        if torn is not None:
            raise BadRequest(
                f"The scope binds {service_type} to {canonical_expr(bound.expr)}, but compute to "
                f"{torn}: a server needs the {service_type} of its own cloud. Leave {service_type} out "
                f"of the scope, then it follows compute. (Where {torn} does share it, its operator "
                "declares so with `shares`.)"
            )


def _torn(
    registry: Registry, clouds: tuple[str, ...], others: tuple[str, ...], service_type: str
) -> str | None:
    """A cloud whose servers would lack what these others have, or have it elsewhere; None if all fits."""
    if clouds == others:
        return None
    for cloud in clouds:
        if not any(_share(registry, cloud, other, service_type) for other in others):
            return cloud
    for other in others:
        if not any(_share(registry, cloud, other, service_type) for cloud in clouds):
            return clouds[0]
    return None


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
