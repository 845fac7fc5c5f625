"""A catalog that is being made, in the shape of Keystone's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

INTERFACES = ("public", "internal", "admin")

Entry = dict[str, object]
"""A service of a catalog, or one of its endpoints."""


@dataclass(slots=True)
class Service:
    """One service."""

    service_type: str
    """Official type."""
    shown: Entry
    endpoints: list[Entry] = field(default_factory=list)

    def offer(self, cloud: str, region: str, url: str) -> None:
        """Show it in a region, one URL on every interface; a region that is shown stays as it is."""
        if any(one["region"] == region for one in self.endpoints):
            return
        for interface in INTERFACES:
            made = identifier(cloud, str(self.shown["type"]), region, interface)
            self.endpoints.append(
                {"id": made, "interface": interface, "region": region, "region_id": region, "url": url}
            )


class Services:
    """All services, in their order."""

    def __init__(self) -> None:
        self._all: list[Service] = []

    def add(self, service_type: str, shown: Mapping[str, object]) -> Service:
        """A further entry; `shown` is what it says of itself."""
        made = Service(service_type, {key: value for key, value in shown.items() if key != "endpoints"})
        self._all.append(made)
        return made

    def has(self, service_type: str) -> bool:
        """Whether a service of this official type is shown."""
        return any(one.service_type == service_type for one in self._all)

    def entry(self, cloud: str, service_type: str, kind: str, name: str) -> Service:
        """The entry of this official type: the one spelled `kind`, else the first, else a new one."""
        found = [one for one in self._all if one.service_type == service_type]
        for one in sorted(found, key=lambda one: one.shown["type"] != kind):
            return one
        return self._new(cloud, service_type, kind, name)

    def spelled(self, cloud: str, service_type: str, kind: str, name: str) -> Service:
        """The entry spelled `kind`, else a new one: what a cloud lists twice, it shows twice."""
        for one in self._all:
            if one.shown["type"] == kind:
                return one
        return self._new(cloud, service_type, kind, name)

    def _new(self, cloud: str, service_type: str, kind: str, name: str) -> Service:
        kind = kind or service_type
        return self.add(service_type, {"id": identifier(cloud, kind), "name": name or kind, "type": kind})

    def rendered(self) -> list[Entry]:
        """The catalog; a service without any endpoint is not in it."""
        return [{**one.shown, "endpoints": one.endpoints} for one in self._all if one.endpoints]


def urls_by_region(endpoints: Sequence[object]) -> dict[str, str]:
    """Region -> the URL that a catalog shows there, of the most public interface."""
    found: dict[str, tuple[int, str]] = {}
    for one in endpoints:
        if not isinstance(one, Mapping) or one.get("interface") not in INTERFACES:
            continue
        region, url = one.get("region_id") or one.get("region"), one.get("url")
        rank = INTERFACES.index(one["interface"])
        if (
            isinstance(region, str)
            and isinstance(url, str)
            and rank < found.get(region, (len(INTERFACES),))[0]
        ):
            found[region] = rank, url
    return {region: url for region, (_, url) in found.items()}


def identifier(*parts: str) -> str:
    """An id in the form of Keystone's that stays the same as long as its parts do."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
