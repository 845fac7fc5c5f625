"""One token's view of the clouds: which service leads where, as its client's catalog has to show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.addresses import origin_and_path, split_path
from oidproxy.clouds.plan import One, members
from oidproxy.clouds.resolve import resolve
from oidproxy.errors import ScopeError
from oidproxy.rewrite.addresses import bound_to, is_reachable, service_url
from oidproxy.rewrite.bases import Bases
from oidproxy.rewrite.entries import Services, urls_by_region
from oidproxy.routing.completion import COMPUTE, WITH_COMPUTE
from oidproxy.scope.services import known, official
from oidproxy.scope.tree import EVERY_SERVICE, Binding, CloudName, Expr, Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from oidproxy.clouds.registry import Cloud, Endpoint, Registry
    from oidproxy.routing.decision import Facade

REGIONS_AT_MOST = 32
"""Clouds that are shown as further regions."""

IDENTITY = "identity"


class View:
    """Of a token of `home`, issued under the scope `bound`; `project_id` is empty for a token without one."""

    def __init__(self, registry: Registry, bound: Scope, home: str, facade: Facade, project_id: str) -> None:
        self._registry = registry
        self._bound = bound
        self._home = registry.clouds[home]
        self._facade = bound_to(facade, bound)
        self._project_id = project_id
        self._bases = Bases.of(registry, home)

    def show_own(self, services: Services, shown: Mapping[str, object]) -> None:
        """A service of the home's own catalog: where the scope binds it, else at the home."""
        kind, endpoints = shown.get("type"), shown.get("endpoints")
        if not isinstance(kind, str) or not isinstance(endpoints, list):
            return
        urls = urls_by_region(endpoints)
        target = self._target(official(kind))
        entry = services.add(official(kind), shown)
        for region, url in urls.items():
            if target is not None and target.cloud != self._home.name:
                leads_to = self._abroad(target, official(kind), kind, url)
            else:
                leads_to = self._at_home(official(kind), region, url, urls if target is None else ())
            if leads_to is not None:
                for name in self._names(region):
                    entry.offer(self._home.name, name, leads_to)

    def show_foreign(self, services: Services) -> None:
        """Services that the home does not have, and the cloud that the scope binds them to does."""
        for cloud in self._bound_clouds():
            for endpoint in _public(cloud):
                kind = endpoint.service_type
                target = self._target(kind)
                if target is None or target.cloud != cloud.name or services.has(kind):
                    continue
                url = self._url(kind, endpoint.suffix)
                if url is not None:
                    entry = services.entry(cloud.name, kind, endpoint.catalog_type, endpoint.catalog_name)
                    for name in self._names(self._home.region):
                        entry.offer(cloud.name, name, url)

    def show_regions(self, services: Services) -> None:
        """Clouds of the scope and its groups that admit the home, as regions of their own names.

        A region's endpoint binds every service to the cloud, so that names and ids agree, and identity to the
        home.
        """
        for cloud in self._further_clouds():
            identity = Binding(IDENTITY, CloudName(self._home.name))
            scope = Scope((Binding(EVERY_SERVICE, CloudName(cloud.name)), identity))
            facade = bound_to(self._facade, scope)
            for endpoint in [*_public(cloud), *_public(self._home)]:
                kind = endpoint.service_type
                url = service_url(facade, kind, endpoint.suffix, self._project_id)
                if url is not None and endpoint.cloud == (
                    self._home.name if kind == IDENTITY else cloud.name
                ):
                    entry = services.entry(cloud.name, kind, endpoint.catalog_type, endpoint.catalog_name)
                    entry.offer(cloud.name, cloud.name, url)

    def _names(self, region: str) -> tuple[str, ...]:
        """What a client may call this region.

        A client keeps the region of its configuration. Where the scope has the identity at another cloud than
        the listener's, the home's own region is shown under that name too.
        """
        beside = self._facade.listener.cloud
        if beside in {None, self._home.name} or region != self._home.region:
            return (region,)
        configured = self._registry.clouds[str(beside)].region
        return (region,) if configured in self._home.regions else (region, configured)

    # Where a URL of the home's catalog leads.

    def _abroad(self, target: One, service_type: str, spelled: str, url: str) -> str | None:
        found = self._registry.index.get((target.cloud, service_type), ())
        there = [one for one in found if target.region in (None, one.region)]
        for one in sorted(there, key=lambda one: one.catalog_type != spelled):
            return self._url(service_type, one.suffix)
        # What a cloud has whose endpoints were not learned is unknown now and may be there at the request.
        unknown = self._registry.clouds[target.cloud].unlearned and known(service_type)
        return self._url(service_type, self._suffix(service_type, url)) if unknown else None

    def _at_home(self, service_type: str, region: str, url: str, listed: Collection[str]) -> str | None:
        """`listed` are the regions to tell apart; none where the scope names one itself."""
        served = self._served_as(service_type, url)
        if served is None:
            return None
        suffix = self._suffix(served, url)
        # An address without a scope leads to the cloud's own region. A Keystone serves every region of its
        # cloud.
        own = self._home.region if self._home.region in listed else next(iter(listed), region)
        if region == own or served == IDENTITY:
            return self._url(served, suffix)
        if self._registry.endpoint(self._home.name, served, region) is None:
            return None
        there = Scope((Binding(served, CloudName(self._home.name, region)),)).over(self._bound)
        try:
            return bound_to(self._facade, there).base(served) + suffix
        except ScopeError:
            # With the region in it, the scope is longer than a tag may be.
            return None

    def _served_as(self, service_type: str, url: str) -> str | None:
        """The type under which the proxy serves this; None if a client's token would go past the proxy."""
        if self._registry.endpoint(self._home.name, service_type) is not None:
            return service_type
        if self._home.unlearned and known(service_type):
            return service_type
        found = self._bases.begins.match(url.encode())
        return None if found is None else self._bases.services[found[0]]

    def _suffix(self, service_type: str, url: str) -> str:
        """What the home's URL has behind the part that `/<service>` stands for."""
        found = self._bases.begins.match(url.encode())
        if found is not None and self._bases.services[found[0]] == service_type:
            return url.encode()[found.end() :].decode().rstrip("/")
        try:
            return split_path(origin_and_path(url)[1])[1]
        except ValueError:
            return ""

    def _url(self, service_type: str, suffix: str) -> str | None:
        """Under the token's scope; where no such address leads anywhere, under one that names the home."""
        facade = self._facade
        if not is_reachable(facade, service_type):
            facade = bound_to(facade, Scope((Binding(service_type, CloudName(self._home.name)),)))
        return service_url(facade, service_type, suffix, self._project_id)

    # What the scope means.

    def _target(self, service_type: str) -> One | None:
        """The cloud that the scope binds a service to; None if none, or several: routing tells then."""
        expr = self._bound.binding(service_type)
        if expr is None and service_type in WITH_COMPUTE:
            expr = self._bound.binding(COMPUTE)
        return None if expr is None else self._only(expr)

    def _bound_clouds(self) -> list[Cloud]:
        """The clouds but the home that some service is bound to, in the order declared."""
        targets = [self._only(binding.expr) for binding in self._bound.bindings]
        names = {one.cloud for one in targets if one is not None} - {self._home.name}
        return sorted((self._registry.clouds[name] for name in names), key=lambda cloud: cloud.position)

    def _further_clouds(self) -> list[Cloud]:
        found = [one.cloud for binding in self._bound.bindings for one in self._members(binding.expr)]
        # A region that the home really has keeps its meaning.
        clouds = [
            self._registry.clouds[name] for name in dict.fromkeys(found) if name not in self._home.regions
        ]
        home = self._home.name
        return [one for one in clouds if one.name == home or home in one.admits][:REGIONS_AT_MOST]

    def _only(self, expr: Expr) -> One | None:
        found = self._members(expr)
        return found[0] if len(found) == 1 else None

    def _members(self, expr: Expr) -> tuple[One, ...]:
        try:
            return members(resolve(expr, self._registry, home=self._home.name))
        except ScopeError:
            # A scope that means nothing here is refused when a request comes under it.
            return ()


def _public(cloud: Cloud) -> Iterator[Endpoint]:
    """Its public endpoints, those of its own region first."""
    endpoints = sorted(cloud.endpoints, key=lambda one: one.region != cloud.region)
    return (one for one in endpoints if one.interface == "public")
