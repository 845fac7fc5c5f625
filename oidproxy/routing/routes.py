"""From the cloud that serves a request to the endpoint there, and to the target that is sent to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One
from oidproxy.errors import EndpointsUnknown, NotSupported
from oidproxy.routing import versions
from oidproxy.routing.carriers import IDENTITY, Bound, Carriers
from oidproxy.routing.decision import Facade, Route
from oidproxy.routing.plans import one_cloud

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Endpoint, Registry
    from oidproxy.routing.inbound import Inbound
    from oidproxy.scope.tree import Scope

RETRY_AFTER = "60"
"""Seconds. Endpoints come with a reload, which somebody or something has to ask for."""


def serving_cloud(inbound: Inbound, bound: Bound, carriers: Carriers) -> One:
    """The cloud that serves the service of this request. Raises ScopeError, NotSupported."""
    if bound.expr is None:
        return One(carriers.home)
    service_type = inbound.place.service_type
    if versions.are_asked(inbound.head.method, inbound.place.rest):
        return versions.answering(bound.expr, service_type, carriers.home, inbound.snapshot)
    return one_cloud(bound.expr, service_type, carriers.home, inbound.snapshot)


def route(
    inbound: Inbound, one: One, bound: Bound, home: str, *, effective: Scope, facade: Facade | None = None
) -> Route:
    """The way to this cloud. Without a facade of its own the client sees the one of its URL's scope.

    Raises:
        NotSupported: this cloud does not have the service.
        EndpointsUnknown: its endpoints could not be learned.
    """
    place = inbound.place
    endpoint = _endpoint(inbound.registry, one, place.service_type)
    return Route(
        service_type=place.service_type,
        endpoint=endpoint,
        target=endpoint.root.encode() + place.rest + inbound.query,
        rest=place.rest,
        home=home,
        carrier=bound.carrier,
        effective=effective,
        explicit=inbound.explicit,
        facade=facade or inbound.facade(inbound.url.tag),
        expr=bound.expr,
    )


def _endpoint(registry: Registry, one: One, service_type: str) -> Endpoint:
    found = registry.endpoint(one.cloud, service_type, one.region)
    if found is None and service_type == IDENTITY:
        # A cloud is one Keystone: it is often listed in one region only and serves all of them.
        found = registry.endpoint(one.cloud, service_type)
    if found is None:
        raise _absent(registry, one, service_type)
    return found


def _absent(registry: Registry, one: One, service_type: str) -> NotSupported | EndpointsUnknown:
    if registry.clouds[one.cloud].unlearned:
        return EndpointsUnknown(
            f"The endpoints of {one.cloud} could not be learned, so {service_type} may be there or not. "
            "The proxy's operator finds the reason with: oidproxy config check",
            cloud=one.cloud,
            fields={"Retry-After": RETRY_AFTER},
        )
    region = f" in region {one.region}" if one.region else ""
    return NotSupported(f"{one.cloud} has no {service_type}{region}.")
