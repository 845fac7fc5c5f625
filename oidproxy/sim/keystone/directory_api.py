"""Keystone's lists: domains, projects, users, roles, regions, services, endpoints; create, read, update,
delete."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.keystone.guard import require, require_user
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.paging import truth
from oidproxy.sim.routes import Exchange, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.sim.keystone.model import Keystone
    from oidproxy.sim.keystone.tokens import Tokens
    from oidproxy.sim.steps import Procedure
    from oidproxy.sim.table import Table

DEFAULT_DOMAIN = "default"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource."""

    member: str
    collection: str
    required: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    unique: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    """What is never shown."""
    owner: str = ""
    """The field of the caller that makes a resource of this id its own."""
    readable: bool = False
    """Whether everybody may read it."""


KINDS = (
    Kind(
        "domain", "domains", ("name",), {"description": "", "enabled": True, "tags": [], "options": {}},
        unique=("name",), owner="user_domain_id",
    ),
    Kind(
        "project", "projects", ("name",),
        {
            "domain_id": DEFAULT_DOMAIN, "description": "", "enabled": True, "parent_id": DEFAULT_DOMAIN,
            "is_domain": False, "tags": [], "options": {},
        },
        unique=("name", "domain_id"), owner="project_id",
    ),
    Kind(
        "user", "users", ("name",),
        {
            "domain_id": DEFAULT_DOMAIN, "enabled": True, "options": {}, "password_expires_at": None,
            "password": "",
            "default_project_id": None, "email": None, "description": None,
        },
        unique=("name", "domain_id"), hidden=("password",), owner="user_id",
    ),
    Kind(
        "role", "roles", ("name",), {"domain_id": None, "description": None, "options": {}},
        unique=("name",),
    ),
    Kind("region", "regions", (), {"description": "", "parent_region_id": None}, readable=True),
    Kind("service", "services", ("type",), {"name": "", "description": "", "enabled": True}),
    Kind(
        "endpoint", "endpoints", ("service_id", "interface", "url"),
        {"region_id": None, "region": None, "enabled": True},
    ),
)  # fmt: skip


class DirectoryApi:
    """The same five handlers for every kind."""

    def __init__(self, keystone: Keystone, tokens: Tokens) -> None:
        self._keystone = keystone
        self._tokens = tokens

    def routes(self) -> list[Route]:
        """Five routes a kind, and changing one's own password."""
        found: list[Route] = [
            Route("POST", "/v3/users/{id}/password", self.change_password),
            Route("GET", "/v3/groups", self.nothing("groups")),
            Route("GET", "/v3/credentials", self.nothing("credentials")),
        ]
        for kind in KINDS:
            one, many = f"/v3/{kind.collection}/{{id}}", f"/v3/{kind.collection}"
            found += [
                Route("POST", many, self._with(kind, self.create)),
                Route("GET", many, self._with(kind, self.list)),
                Route("GET", one, self._with(kind, self.show)),
                Route("PATCH", one, self._with(kind, self.update)),
                Route("DELETE", one, self._with(kind, self.delete)),
            ]
        return found

    @staticmethod
    def _with(
        kind: Kind, handler: Callable[[Kind, Exchange], Response | Procedure[Response]]
    ) -> Callable[[Exchange], Response | Procedure[Response]]:
        return lambda exchange: handler(kind, exchange)

    def nothing(self, collection: str) -> Callable[[Exchange], Response]:
        """The list of a kind that this Keystone has none of."""

        def handler(exchange: Exchange) -> Response:
            require_user(exchange)
            return _listing(exchange, collection, [])

        return handler

    def create(self, kind: Kind, exchange: Exchange) -> Procedure[Response]:
        """POST."""
        require(exchange, f"create_{kind.member}")
        given = yield from body.member(exchange, kind.member)
        document = {**kind.defaults, **given}
        document.setdefault("id", self._keystone.sources.hex())
        for name in kind.required:
            if not document.get(name):
                raise ApiError(400, f"'{name}' is a required property")
        if kind.member == "endpoint":
            document["region"] = document["region_id"] = document["region_id"] or document["region"]
        self._refuse_duplicate(kind, document)
        self._table(kind).add(document)
        return json_response(201, {kind.member: _view(kind, exchange, document)})

    def _refuse_duplicate(self, kind: Kind, document: Document) -> None:
        table = self._table(kind)
        values = {name: document.get(name) for name in kind.unique}
        twin = table.find(**values) if values else None
        if (twin and twin["id"] != document["id"]) or (twin is None and document["id"] in table):
            raise ApiError(
                409,
                f"Conflict occurred attempting to store {kind.member} - Duplicate entry found with name "
                f"{document.get('name', document['id'])}.",
            )

    def list(self, kind: Kind, exchange: Exchange) -> Response:
        """GET of the collection; any attribute filters."""
        require(exchange, f"list_{kind.collection}", own=kind.readable, read=True)
        table = self._table(kind)
        filters = [
            (key, value) for key, value in exchange.request.query if key not in {"limit", "marker", "sort"}
        ]
        rows = [row for row in table if all(_matches(row, key, value) for key, value in filters)]
        return _listing(exchange, kind.collection, [_view(kind, exchange, row) for row in rows])

    def show(self, kind: Kind, exchange: Exchange) -> Response:
        """GET of one. What is not there and what may not be seen look alike only to administrators."""
        identity = exchange.params["id"]
        caller = require_user(exchange)
        own = kind.readable or (bool(kind.owner) and getattr(caller, kind.owner) == identity)
        require(exchange, f"get_{kind.member}", own=own, read=True)
        return json_response(200, {kind.member: _view(kind, exchange, self._table(kind).get(identity))})

    def update(self, kind: Kind, exchange: Exchange) -> Procedure[Response]:
        """PATCH."""
        require(exchange, f"update_{kind.member}")
        given = yield from body.member(exchange, kind.member)
        table = self._table(kind)
        document = {**table.get(exchange.params["id"]), **given, "id": exchange.params["id"]}
        self._refuse_duplicate(kind, document)
        table.add(document)
        if "password" in given and kind.member == "user":
            self._tokens.revoke_user(document["id"])
        return json_response(200, {kind.member: _view(kind, exchange, document)})

    def delete(self, kind: Kind, exchange: Exchange) -> Response:
        """DELETE."""
        require(exchange, f"delete_{kind.member}")
        identity = exchange.params["id"]
        match kind.member:
            case "user":
                self._keystone.forget_user(identity)
            case "project" | "domain":
                self._keystone.forget_target(kind.member, identity)
            case _:
                self._table(kind).remove(identity)
        return empty()

    def change_password(self, exchange: Exchange) -> Procedure[Response]:
        """A user changes its own password; its tokens end with it."""
        identity = exchange.params["id"]
        require(exchange, "change_password", own=exchange.caller.user_id == identity)
        given = yield from body.member(exchange, "user")
        user = self._keystone.users.get(identity)
        if given.get("original_password") != user["password"]:
            raise ApiError(401, "The request you have made requires authentication.")
        self._keystone.users.change(identity, password=str(given.get("password", "")))
        self._tokens.revoke_user(identity)
        return empty()

    def _table(self, kind: Kind) -> Table:
        table: Table = getattr(self._keystone, kind.collection)
        return table


def _listing(exchange: Exchange, collection: str, rows: list[Document]) -> Response:
    links = {"next": None, "self": f"{exchange.request.origin}/v3/{collection}", "previous": None}
    return json_response(200, {collection: rows, "links": links})


def _matches(row: Document, key: str, value: str) -> bool:
    held = row.get(key)
    if isinstance(held, bool):
        return held == truth(value)
    return key not in row or (held is not None and str(held) == value)


def _view(kind: Kind, exchange: Exchange, row: Document) -> Document:
    shown = {key: value for key, value in row.items() if key not in kind.hidden}
    links = {"self": f"{exchange.request.origin}/v3/{kind.collection}/{row['id']}"}
    return {**shown, "links": links}
