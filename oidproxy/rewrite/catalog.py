"""Catalogs as they are shown: to clients, under the scope of their token; to services, their own cloud's.

Every URL in them leads to the proxy. A service that the proxy does not serve is left out: its client would
send the token past the proxy. All three interfaces show the same URL; which of a cloud's own is used is its
operator's choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oidproxy.rewrite.addresses import service_url, untagged
from oidproxy.rewrite.entries import Entry, Services
from oidproxy.rewrite.view import IDENTITY, View

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry
    from oidproxy.routing.decision import Facade
    from oidproxy.scope.tree import Scope


def client_catalog(
    catalog: Sequence[object], *, registry: Registry, bound: Scope, home: str, facade: Facade, project_id: str
) -> list[Entry]:
    """What a client sees of its home's catalog, with a token issued under the scope `bound`.

    First the scope's own endpoints, under the home's real region names: a service that the scope binds to
    another cloud leads there, one that only that cloud has is added. Then, on gateway listeners, further
    clouds as regions. `project_id` is empty for a token without a project.
    """
    view = View(registry, bound, home, facade, project_id)
    services = Services()
    for shown in catalog:
        if isinstance(shown, Mapping):
            view.show_own(services, shown)
    view.show_foreign(services)
    if facade.listener.cloud is None:
        view.show_regions(services)
    return services.rendered()


def service_catalog(registry: Registry, cloud: str, project_id: str, facade: Facade) -> list[Entry]:
    """What the services of a cloud see: their own cloud in its own types, names and regions, at our
    addresses.

    Never a tag, and so only what an address without one leads to: the cloud's own region, and its Keystone
    wherever it is listed. `project_id` is the subject's; without one, what needs it is left out.
    """
    services = Services()
    own = registry.clouds[cloud].region
    for endpoint in registry.clouds[cloud].endpoints:
        kind = endpoint.service_type
        shown = untagged(facade, kind)
        if shown is None or endpoint.interface != "public" or (endpoint.region != own and kind != IDENTITY):
            continue
        url = service_url(shown, kind, endpoint.suffix, project_id)
        if url is not None:
            spelled = endpoint.catalog_type or kind
            entry = services.spelled(cloud, kind, spelled, endpoint.catalog_name)
            entry.offer(cloud, endpoint.region, url)
    return services.rendered()
