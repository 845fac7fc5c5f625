"""From the cloud that serves a request to the endpoint there, and to the target that is sent to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One
from oidproxy.errors import EndpointsUnknown, NotSupported
from oidproxy.routing import versions
from oidproxy.routing.carriers import IDENTITY, Bound, Carriers
from oidproxy.routing.decision import Facade, Route
from oidproxy.routing.plans import Several, meant
from oidproxy.routing.resources import describes

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Endpoint, Registry
    from oidproxy.routing.inbound import Inbound
    from oidproxy.scope.tree import Scope

RETRY_AFTER = "60"
"""Seconds. Endpoints come with a reload, which somebody or something has to ask for."""


def serving(inbound: Inbound, bound: Bound, carriers: Carriers) -> One | Several:
    """The cloud, or the clouds, that serve the service of this request. Raises ScopeError."""
    if bound.expr is None:
        return One(carriers.home)
    place, method = inbound.place, inbound.head.method
    found = meant(bound.expr, place.service_type, carriers.home, inbound.snapshot)
    if isinstance(found, Several) and (
        versions.are_asked(method, place.rest) or describes(place.service_type, method, place.rest)
    ):
        return versions.answering(bound.expr, place.service_type, carriers.home, inbound.snapshot)
    return found


def route(
    inbound: Inbound, one: One, bound: Bound, home: str, *, effective: Scope, facade: Facade | None = None
) -> Route:
    """The way to this cloud. Without a facade of its own the client sees the one of its URL's scope.

    Raises:
        NotSupported: this cloud does not have the service.
        EndpointsUnknown: its endpoints could not be learned.
    """
    place = inbound.place
    endpoint = endpoint_of(inbound.registry, one, place.service_type)
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


def endpoint_of(registry: Registry, one: One, service_type: str) -> Endpoint:
    """Where this cloud serves a service. Raises NotSupported, EndpointsUnknown."""
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
