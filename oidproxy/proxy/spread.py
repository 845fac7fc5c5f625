"""The ways of requests for one item of several clouds: it is asked of the one that was seen to hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.proxy.way import Key, Way

if TYPE_CHECKING:
    from oidproxy.clouds.plan import One
    from oidproxy.manyclouds.finding.find import Finding

COLLECTIONS_KEPT = 64
"""Clients choose them: their paths may hold a project's id."""


Ways = dict[Key, "Way | Spread"]
"""Those of one address of ours."""


class Spread:
    """Those of requests with the same carriers, for a service that these bind to several clouds."""

    __slots__ = ("_collections", "_finding", "_service_type", "chosen", "ways")

    def __init__(self, finding: Finding, service_type: str, chosen: tuple[One, ...]) -> None:
        self._finding = finding
        self._service_type = service_type
        self._collections: set[bytes] = set()
        self.chosen = chosen
        """The several clouds; one value for all ways to them."""
        self.ways: dict[str, Way] = {}
        """By cloud."""

    def learn(self, collection: bytes) -> None:
        """What is below this path, and is an id, is an item."""
        if len(self._collections) >= COLLECTIONS_KEPT:
            self._collections.clear()
        self._collections.add(collection)

    def way(self, rest: bytes) -> Way | None:
        """That of a request for this path below the service; None where somebody has to look for it."""
        collection, _, item = rest.rpartition(b"/")
        if collection not in self._collections:
            return None
        holders = self._finding.holders_now(self._service_type, item)
        return self.ways.get(holders[0]) if holders is not None and len(holders) == 1 else None
