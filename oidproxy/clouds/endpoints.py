"""Where each service of a cloud listens: given, on an address's standard ports, or as its catalog says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from os_service_types import ServiceTypes

from oidproxy.clouds import catalog
from oidproxy.clouds.addresses import Location, location, plain_host
from oidproxy.clouds.registry import Endpoint, Origin
from oidproxy.clouds.standard import CORE, STANDARD
from oidproxy.scope.nearest import nearest
from oidproxy.scope.services import known, nearest_service, official

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oidproxy.clouds.catalog import Learned
    from oidproxy.clouds.config import CloudKeys
    from oidproxy.clouds.document import Path
    from oidproxy.clouds.findings import Findings

DEFAULT_REGION = "RegionOne"
"""What `keystone-manage bootstrap` and every installation guide call a cloud's region."""

_VERSION = re.compile(r"/v(\d+)")


class Places:
    """Reads the endpoints of one cloud after another."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self._authority = ServiceTypes()

    def auth_url(self, name: str, keys: CloudKeys, learned: Learned | None) -> str:
        """Its Keystone's URL: declared, of its entry in clouds.yaml, or on its address's standard port."""
        if keys.auth_url is not None:
            return keys.auth_url
        if learned is not None:
            return learned.auth_url
        if keys.upstream is None:
            return ""
        upstream = self._upstream(name, keys, "http")
        standard = STANDARD["identity"]
        return f"{Origin(upstream.scheme, upstream.host, standard.port)}{standard.suffix}" if upstream else ""

    def region(self, keys: CloudKeys, learned: Learned | None) -> str:
        """The cloud's own region: declared, of its entry in clouds.yaml, or the first in its catalog."""
        if keys.region is not None:
            return keys.region
        if learned is not None:
            return next(iter((*filter(None, (learned.region,)), *catalog.regions(learned))), DEFAULT_REGION)
        return DEFAULT_REGION

    def endpoints(
        self, name: str, keys: CloudKeys, learned: Learned | None, auth_url: str, region: str
    ) -> tuple[Endpoint, ...]:
        """All endpoints, identity first: what is given beats what is learned or standard, place by place."""
        found = dict[tuple[str, str, str, str], Endpoint]()
        given = tuple(self._given(name, keys, region))
        settled = {(endpoint.service_type, endpoint.region) for endpoint in given}
        if auth_url and ("identity", region) not in settled:
            given = (*self._identity(name, keys, auth_url, region), *given)
            settled.add(("identity", region))
        others = (*self._standard(name, keys, auth_url, region), *self._learned(name, learned, region))
        for endpoint in given:
            found[_identity_of(endpoint)] = endpoint
        for endpoint in others:
            if endpoint.interface != "public" or (endpoint.service_type, endpoint.region) not in settled:
                found.setdefault(_identity_of(endpoint), endpoint)
        return tuple(sorted(found.values(), key=lambda endpoint: endpoint.service_type != "identity"))

    def _identity(self, name: str, keys: CloudKeys, auth_url: str, region: str) -> Iterator[Endpoint]:
        source = "given" if keys.auth_url is not None else ("upstream" if keys.upstream else "learned")
        try:
            where = location(auth_url)
        except ValueError as error:
            self._unusable(name, source, str(error))
        else:
            yield _endpoint(name, "identity", where, region, source=source)

    def _unusable(self, name: str, source: str, message: str) -> None:
        """A URL given here is for the operator to mend; one of clouds.yaml concerns its cloud alone."""
        if source == "learned":
            message = f"{name}: its auth_url cannot be used: {message}"
            self.findings.doubtful(("clouds", name), message, key=True)
        else:
            self.findings.wrong(("clouds", name, "auth_url"), message)

    def _given(self, name: str, keys: CloudKeys, region: str) -> Iterator[Endpoint]:
        for service, value in keys.endpoints.items():
            path: Path = ("clouds", name, "endpoints", service)
            self._check_service(service, path)
            urls = {region: value} if isinstance(value, str) else value
            for place, url in urls.items():
                where = self.findings.read(path if isinstance(value, str) else (*path, place), location, url)
                if where is not None:
                    alias = self._catalog_type(service)
                    yield _endpoint(name, official(service), where, place, catalog_type=alias)

    def _standard(self, name: str, keys: CloudKeys, auth_url: str, region: str) -> Iterator[Endpoint]:
        if keys.upstream is None:
            if keys.services is not None:
                self.findings.wrong(("clouds", name, "services"), "services needs upstream", key=True)
            return
        upstream = self._upstream(name, keys, "https" if auth_url.startswith("https:") else "http")
        for service_type in self._services(name, keys):
            standard = STANDARD[service_type]
            if upstream is not None:
                origin = Origin(upstream.scheme, upstream.host, standard.port)
                yield _endpoint(
                    name, service_type, Location(origin, "", standard.suffix), region, source="upstream"
                )

    def _services(self, name: str, keys: CloudKeys) -> Iterator[str]:
        if keys.services is None:
            yield from CORE
            return
        for position, service in enumerate(keys.services):
            if official(service) in STANDARD:
                yield official(service)
            else:
                message = f"{service!r} has no standard port: give it under endpoints"
                path = ("clouds", name, "services", position)
                self.findings.wrong(path, message, suggestion=nearest(service, STANDARD))

    def _upstream(self, name: str, keys: CloudKeys, scheme: str) -> Origin | None:
        def read(text: str) -> Origin:
            given, found, host = text.rpartition("://")
            if found and given not in ("http", "https"):
                raise ValueError("expected an address, alone or behind http:// or https://")
            return Origin(given or scheme, plain_host(host), 0)

        return self.findings.read(("clouds", name, "upstream"), read, keys.upstream or "")

    def _learned(self, name: str, learned: Learned | None, region: str) -> Iterator[Endpoint]:
        if learned is None:
            return
        for found in catalog.endpoints(learned, region):
            if isinstance(found, Endpoint):
                yield found
            else:
                what = f"the catalog's {found.service_type} {found.url!r}"
                message = f"{name}: {what} cannot be used: {found.message}"
                self.findings.doubtful(("clouds", name), message, key=True)

    def _check_service(self, service: str, path: Path) -> None:
        if not known(service):
            suggestion = nearest_service(service)
            hint = f" (did you mean {suggestion}?)" if suggestion else ""
            message = f"the service types authority has no {service!r}; it is served under this name{hint}"
            self.findings.doubtful(path, message, key=True)

    def _catalog_type(self, service: str) -> str:
        """How a catalog spells it, if that is an alias; a project's name is in no catalog."""
        alias = service != official(service) and self._authority.get_service_type(service)
        return service.lower() if alias else ""


def index(endpoints: Iterable[Endpoint], region: str) -> Mapping[str, tuple[Endpoint, ...]]:
    """Official type -> public endpoints: the cloud's own region first, in it the highest API version."""
    by_type: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.interface == "public":
            by_type.setdefault(endpoint.service_type, []).append(endpoint)
    return {
        service_type: tuple(sorted(found, key=lambda one: (one.region != region, -_version(one))))
        for service_type, found in by_type.items()
    }


def _version(endpoint: Endpoint) -> int:
    match = _VERSION.match(endpoint.suffix)
    return int(match[1]) if match else 0


def _endpoint(
    cloud: str,
    service_type: str,
    where: Location,
    region: str,
    *,
    source: str = "given",
    catalog_type: str = "",
) -> Endpoint:
    return Endpoint(
        cloud,
        service_type,
        where.origin,
        where.root,
        where.suffix,
        region,
        "public",
        catalog_type,
        "",
        source,
    )


def _identity_of(endpoint: Endpoint) -> tuple[str, str, str, str]:
    return (
        endpoint.service_type,
        endpoint.region,
        endpoint.interface,
        endpoint.catalog_type or endpoint.service_type,
    )
