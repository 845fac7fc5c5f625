"""Neutron's resources: the same five handlers for every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from oidproxy.sim import body
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.neutron import views
from oidproxy.sim.neutron.kinds import KINDS, NETWORK, PORT, SECURITY_GROUP, SUBNET, Kind
from oidproxy.sim.neutron.policy import check, privileged, refused
from oidproxy.sim.paging import in_order, limit_of, next_href, page, truth
from oidproxy.sim.routes import Exchange, Route
from oidproxy.sim.steps import Procedure, Spawn

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.neutron.model import Neutron
    from oidproxy.sim.neutron.notifier import Notifier

CONTROLS = frozenset({"fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse"})
KindHandler = Callable[[Kind, Exchange], Response | Procedure[Response]]


class ResourcesApi:
    """Create, list, show, update and delete, for every kind."""

    def __init__(self, neutron: Neutron, notifier: Notifier) -> None:
        self._neutron = neutron
        self._notifier = notifier

    def routes(self) -> list[Route]:
        """Five routes a kind."""
        found: list[Route] = []
        for kind in KINDS:
            many, one = f"/v2.0/{kind.path}", f"/v2.0/{kind.path}/{{id}}"
            found += [
                Route("POST", many, _with(kind, self.create)),
                Route("GET", many, _with(kind, self.list)),
                Route("GET", one, _with(kind, self.show)),
                Route("PUT", one, _with(kind, self.update)),
                Route("DELETE", one, _with(kind, self.delete)),
            ]
        return found

    def create(self, kind: Kind, exchange: Exchange) -> Procedure[Response]:
        """POST."""
        given = yield from body.member(exchange, kind.member)
        check(kind, given, exchange.caller, creating=True)
        project_id = str(given.get("project_id") or given.get("tenant_id") or exchange.caller.project_id)
        if project_id != exchange.caller.project_id and not privileged(exchange.caller):
            raise refused(f"create_{kind.member}")
        if kind is SUBNET or kind is PORT:
            # What the caller may not see is not there for it.
            self._get(NETWORK, exchange.caller, given["network_id"])
        document = self._neutron.create(kind, project_id, given)
        return json_response(201, {kind.member: self._view(kind, exchange, document)})

    def list(self, kind: Kind, exchange: Exchange) -> Response:
        """GET of the collection: filtered by any attribute, and in pages when a limit is given."""
        if kind is SECURITY_GROUP and exchange.caller.project_id:
            self._neutron.default_group(exchange.caller.project_id)
        request, seen = exchange.request, self._neutron.seen_by
        filters = {key: request.parameters(key) for key, _ in request.query if key not in CONTROLS}
        rows = [
            row
            for row in self._neutron.table(kind)
            if all(_matches(row, key, values) for key, values in filters.items())
            and seen(exchange.caller, kind, row)
        ]
        keys = request.parameters("sort_key")
        directions = request.parameters("sort_dir") or ("asc",) * len(keys)
        order = [(key, direction == "desc") for key, direction in zip(keys, directions, strict=False)]
        # Native pagination adds the primary key (neutron.api.api_common.PaginationNativeHelper).
        order.append(("id", False))
        limit = limit_of(request, maximum=1_000_000)
        found = page(
            in_order(rows, order, _value), lambda row: str(row["id"]), request.parameter("marker"), limit
        )
        document: Document = {kind.collection: [self._view(kind, exchange, row) for row in found.items]}
        if found.more:
            link = {"rel": "next", "href": next_href(request, found.items[-1]["id"])}
            document[f"{kind.collection}_links"] = [link]
        return json_response(200, document)

    def show(self, kind: Kind, exchange: Exchange) -> Response:
        """GET of one."""
        document = self._get(kind, exchange.caller, exchange.params["id"])
        return json_response(200, {kind.member: self._view(kind, exchange, document)})

    def update(self, kind: Kind, exchange: Exchange) -> Procedure[Response]:
        """PUT. Nova is told of a port that got a host."""
        document = self._own(kind, exchange)
        given = yield from body.member(exchange, kind.member)
        check(kind, given, exchange.caller, creating=False)
        changed = self._neutron.update(kind, document, given)
        if kind is PORT and given.get("binding:host_id") and changed["device_id"]:
            yield Spawn(self._notifier.tell(changed, "network-vif-plugged", "network-changed"))
        return json_response(200, {kind.member: self._view(kind, exchange, changed)})

    def delete(self, kind: Kind, exchange: Exchange) -> Procedure[Response]:
        """DELETE. Nova is told of a server's port that is gone."""
        document = self._own(kind, exchange)
        self._neutron.delete(kind, document)
        if kind is PORT and document["device_owner"].startswith("compute:"):
            yield Spawn(self._notifier.tell(document, "network-vif-deleted"))
        return empty()

    def _get(self, kind: Kind, caller: Caller, identity: str) -> Document:
        document = self._neutron.table(kind).get(identity)
        if not self._neutron.seen_by(caller, kind, document):
            raise self._neutron.table(kind).missing(identity)
        return document

    def _own(self, kind: Kind, exchange: Exchange) -> Document:
        document = self._get(kind, exchange.caller, exchange.params["id"])
        if document["project_id"] != exchange.caller.project_id and not privileged(exchange.caller):
            raise refused(f"{exchange.request.method.lower()}_{kind.member}")
        return document

    def _view(self, kind: Kind, exchange: Exchange, document: Document) -> Document:
        return views.view(
            self._neutron, kind, document, exchange.caller, exchange.request.parameters("fields")
        )


def _with(kind: Kind, handler: KindHandler) -> Callable[[Exchange], Response | Procedure[Response]]:
    return lambda exchange: handler(kind, exchange)


def _matches(row: Document, key: str, values: tuple[str, ...]) -> bool:
    if key not in row:
        return True
    held: Any = row[key]
    if isinstance(held, str):
        return held in values
    if isinstance(held, bool):
        return held in {truth(value) for value in values}
    if key == "fixed_ips":
        return all(_has_ip(held, value) for value in values)
    if isinstance(held, list):
        return any(value in held for value in values)
    return str(held if held is not None else "") in values


def _has_ip(ips: list[Document], condition: str) -> bool:
    """`ip_address=…`, `subnet_id=…`, `ip_address_substr=…`."""
    name, _, value = condition.partition("=")
    if name == "ip_address_substr":
        return any(value in ip["ip_address"] for ip in ips)
    return any(ip.get(name) == value for ip in ips)


def _value(row: Document, key: str) -> object:
    value: object = row.get(key)
    return value
