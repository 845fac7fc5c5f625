"""The request to a service that a page of our own stands for, and what routing decides of it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One
from oidproxy.errors import BadRequest, NotSupported
from oidproxy.routing import resources
from oidproxy.routing.decide import decide
from oidproxy.routing.decision import FanOut, Forward, Refuse, Ways
from oidproxy.scope.services import official

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.http.head import RequestHead
    from oidproxy.identity.service import Subject
    from oidproxy.proxy.exchange import Exchange
    from oidproxy.routing.decision import Answer, Decision

_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "baremetal": "/v1",
        "block-storage": "/v3/{project}",
        "compute": "/v2.1",
        "dns": "/v2",
        "identity": "/v3",
        "image": "/v2",
        "key-manager": "/v1",
        "load-balancer": "/v2/lbaas",
        "network": "/v2.0",
        "shared-file-system": "/v2",
    }
)
"""Service -> what stands before a collection's name in its API."""


def collection_path(resource: str, subject: Subject) -> str:
    """The path of a collection, written `<service>/<collection>`, at this proxy.

    Raises:
        BadRequest: it is written otherwise.
    """
    service, _, name = resource.partition("/")
    service_type = official(service)
    version = _VERSIONS.get(service_type)
    if version is None or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise BadRequest(
            "The parameter `resource` is <service>/<collection>, as in image/images; the services are "
            f"{', '.join(_VERSIONS)}."
        )
    return f"/{service_type}{version.format(project=subject.project_id or '')}/{name}"


def asked(exchange: Exchange, answer: Answer, path: str, query: str = "") -> tuple[FanOut, RequestHead]:
    """A GET of this path, under the scope of the page's own request, and its head; one cloud is a set of one.

    Raises:
        NotSupported: this is nothing that several clouds can be asked for.
        OidproxyError: what the request itself would be refused with.
    """
    # The page's URL may carry a scope of its own.
    prefix = f"/s/{answer.facade.tag}" if answer.facade.tag else ""
    target = f"{prefix}{path}?{query}" if query else prefix + path
    head = replace(exchange.request, target=target.encode())
    arrival = replace(exchange.arrival, service_type=None)
    decision = decide(head, arrival, exchange.snapshot, exchange.serving.clock())
    return _of_several(decision), head


def _of_several(decision: Decision) -> FanOut:
    match decision:
        case FanOut():
            return decision
        case Forward():
            return _of_one(decision)
        case Refuse(error=error):
            raise error
        case _:
            raise NotSupported("This is no collection.")


def _of_one(forward: Forward) -> FanOut:
    """One cloud is asked in the same way."""
    route = forward.route
    found = resources.read(route.service_type, "GET", route.rest)
    if found is None:
        raise NotSupported("This is no collection.")
    one = One(route.cloud)
    carried = {} if forward.carried is None else {route.cloud: forward.carried}
    direct = frozenset({route.cloud}) if forward.direct else frozenset[str]()
    return FanOut(one, *found, Ways({one: route.endpoint}), forward, direct, carried)
