"""Flavors at Nova's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.nova import views
from oidproxy.sim.paging import in_order, limit_of, next_href, page, truth
from oidproxy.sim.routes import Exchange, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.sim.nova.model import Nova
    from oidproxy.sim.steps import Procedure


class FlavorsApi:
    """Handlers of `/flavors`."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        many, one = "/v2.1/flavors", "/v2.1/flavors/{id}"
        return (
            Route("GET", many, self.list),
            Route("GET", f"{many}/detail", self.list_detail),
            Route("POST", many, self.create),
            Route("GET", one, self.show),
            Route("DELETE", one, self.delete),
            Route("GET", f"{one}/os-extra_specs", self.extra_specs),
            Route("POST", f"{one}/os-extra_specs", self.set_extra_specs),
        )

    def list(self, exchange: Exchange) -> Response:
        """Names and ids."""
        return self._listing(exchange, _brief)

    def list_detail(self, exchange: Exchange) -> Response:
        """With detail."""
        return self._listing(exchange, views.flavor)

    def _listing(self, exchange: Exchange, view: Callable[[Exchange, Document], Document]) -> Response:
        request = exchange.request
        rows = [row for row in self._nova.flavors if _sees(exchange, row) and _fits(exchange, row)]
        key = request.parameter("sort_key") or "flavorid"
        order = [
            ({"flavorid": "id", "memory_mb": "ram"}.get(key, key), request.parameter("sort_dir") == "desc")
        ]
        found = page(
            in_order(rows, order, lambda row, name: row.get(name)),
            lambda row: str(row["id"]),
            request.parameter("marker"),
            limit_of(request, default=1000),
        )
        document: Document = {"flavors": [view(exchange, row) for row in found.items]}
        if found.more:
            href = next_href(request, found.items[-1]["id"])
            document["flavors_links"] = [{"rel": "next", "href": href}]
        return json_response(200, document)

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """POST: for administrators."""
        _require_admin(exchange, "os_compute_api:os-flavor-manage:create")
        given = yield from body.member(exchange, "flavor")
        try:
            row = new_flavor(
                str(given.get("id") or self._nova.sources.uuid()),
                given["name"],
                (int(given["ram"]), int(given["disk"]), int(given["vcpus"])),
            )
        except (KeyError, TypeError, ValueError):
            raise ApiError(400, "Invalid input for field/attribute flavor: name, ram, disk, vcpus.") from None
        if row["id"] in self._nova.flavors or self._nova.flavors.find(name=row["name"]):
            raise ApiError(409, f"Flavor with name {row['name']} already exists.")
        row["OS-FLV-EXT-DATA:ephemeral"] = int(given.get("OS-FLV-EXT-DATA:ephemeral") or 0)
        row["os-flavor-access:is_public"] = bool(given.get("os-flavor-access:is_public", True))
        row["description"] = given.get("description")
        return json_response(200, {"flavor": views.flavor(exchange, self._nova.flavors.add(row))})

    def show(self, exchange: Exchange) -> Response:
        """One flavor."""
        return json_response(200, {"flavor": views.flavor(exchange, self._seen(exchange))})

    def delete(self, exchange: Exchange) -> Response:
        """DELETE: for administrators."""
        _require_admin(exchange, "os_compute_api:os-flavor-manage:delete")
        self._nova.flavors.remove(exchange.params["id"])
        return empty(202)

    def extra_specs(self, exchange: Exchange) -> Response:
        """A flavor's extra specs."""
        return json_response(200, {"extra_specs": self._seen(exchange)["extra_specs"]})

    def set_extra_specs(self, exchange: Exchange) -> Procedure[Response]:
        """Add to a flavor's extra specs: for administrators."""
        _require_admin(exchange, "os_compute_api:os-flavor-extra-specs:create")
        row = self._seen(exchange)
        given = yield from body.member(exchange, "extra_specs")
        changed = self._nova.flavors.change(row["id"], extra_specs={**row["extra_specs"], **given})
        return json_response(200, {"extra_specs": changed["extra_specs"]})

    def _seen(self, exchange: Exchange) -> Document:
        row = self._nova.flavors.get(exchange.params["id"])
        if not _sees(exchange, row):
            raise self._nova.flavors.missing(row["id"])
        return row


def new_flavor(identity: str, name: str, size: tuple[int, int, int]) -> Document:
    """A flavor of this much memory (MiB), disk (GiB) and processors."""
    ram, disk, vcpus = size
    return {
        "id": identity,
        "name": name,
        "ram": ram,
        "disk": disk,
        "vcpus": vcpus,
        "swap": "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "description": None,
        "extra_specs": {},
    }


def _brief(exchange: Exchange, row: Document) -> Document:
    document = {
        "id": row["id"],
        "name": row["name"],
        "links": views.links(exchange.request, "flavors", row["id"]),
    }
    if exchange.version >= (2, 55):
        document["description"] = row["description"]
    return document


def _sees(exchange: Exchange, row: Document) -> bool:
    """Private flavors are administrators' business; they may ask for either kind with `is_public`."""
    wanted = exchange.request.parameter("is_public", "none").lower()
    if not exchange.caller.is_admin:
        return bool(row["os-flavor-access:is_public"])
    return wanted == "none" or row["os-flavor-access:is_public"] == truth(wanted)


def _fits(exchange: Exchange, row: Document) -> bool:
    least = {"minRam": row["ram"], "minDisk": row["disk"]}
    for name, held in least.items():
        text = exchange.request.parameter(name)
        if text and not text.isdecimal():
            raise ApiError(400, f"Invalid {name} filter [{text}]")
        if text and held < int(text):
            return False
    return True


def _require_admin(exchange: Exchange, rule: str) -> None:
    if not exchange.caller.is_admin:
        raise ApiError(403, f"Policy doesn't allow {rule} to be performed.")
