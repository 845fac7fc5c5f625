"""Keystone's version documents and `/v3/auth`: issuing, validating and revoking tokens, and what a token may
reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.keystone.authentication import authenticate
from oidproxy.sim.keystone.guard import forbidden, require_user, require_validation
from oidproxy.sim.keystone.views import token_document, version
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.paging import truth
from oidproxy.sim.routes import Exchange, Route

if TYPE_CHECKING:
    from oidproxy.sim.keystone.model import Keystone
    from oidproxy.sim.keystone.tokens import Token, Tokens
    from oidproxy.sim.steps import Procedure

VARY = ("Vary", "X-Auth-Token")


class AuthApi:
    """Handlers of `/` and `/v3/auth/…`."""

    def __init__(self, keystone: Keystone, tokens: Tokens) -> None:
        self._keystone = keystone
        self._tokens = tokens

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("GET", "/", self.versions, open=True),
            Route("GET", "/v3", self.version, open=True),
            Route("POST", "/v3/auth/tokens", self.issue),
            Route("GET", "/v3/auth/tokens", self.validate),
            Route("DELETE", "/v3/auth/tokens", self.revoke),
            Route("GET", "/v3/auth/catalog", self.catalog),
            Route("GET", "/v3/auth/projects", self.projects),
            Route("GET", "/v3/auth/domains", self.domains),
            Route("GET", "/v3/auth/system", self.system),
        )

    def versions(self, exchange: Exchange) -> Response:
        """300 with every version."""
        location = ("Location", f"{exchange.request.origin}/v3/")
        return json_response(300, {"versions": {"values": [version(exchange.request)]}}, location)

    def version(self, exchange: Exchange) -> Response:
        """v3."""
        return json_response(200, {"version": version(exchange.request)}, VARY)

    def issue(self, exchange: Exchange) -> Procedure[Response]:
        """Authenticate, or rescope. A token in X-Auth-Token plays no part."""
        document = yield from body.document(exchange)
        token = authenticate(self._keystone, self._tokens, document)
        return self._show(exchange, token, 201)

    def validate(self, exchange: Exchange) -> Response:
        """Who a token is. The subject is looked up before the policy: an unknown one is a 404 for
        everybody."""
        require_user(exchange)
        token = self._subject(exchange)
        require_validation(exchange, token)
        return self._show(exchange, token, 200)

    def _subject(self, exchange: Exchange) -> Token:
        request = exchange.request
        text = request.field("x-subject-token")
        if not text:
            raise ApiError(404, "No token in the request")
        allow_expired = truth(request.parameter("allow_expired"))
        return self._tokens.validate(
            text,
            allow_expired=allow_expired,
            access_rules=_enforces_rules(request.field("openstack-identity-access-rules")),
        )

    def _show(self, exchange: Exchange, token: Token, status: int) -> Response:
        catalog = not exchange.request.parameters("nocatalog")
        document = token_document(self._keystone, token, catalog=catalog)
        return json_response(status, {"token": document}, ("X-Subject-Token", token.id), VARY)

    def revoke(self, exchange: Exchange) -> Response:
        """Revoke one token: its own user may, and administrators."""
        caller = require_user(exchange)
        text = exchange.request.field("x-subject-token")
        token = self._tokens.validate(text, access_rules=True)
        if caller.user_id != token.user_id and not caller.is_admin:
            raise forbidden("revoke_token")
        self._tokens.revoke(token)
        return empty(204, VARY)

    def catalog(self, exchange: Exchange) -> Response:
        """The catalog of the token's project."""
        caller = require_user(exchange)
        if not caller.project_id:
            raise ApiError(403, "A project-scoped token is required to produce a service catalog.")
        links = {"self": f"{exchange.request.origin}/v3/auth/catalog"}
        catalog = list(self._keystone.catalog(caller.project_id))
        return json_response(200, {"catalog": catalog, "links": links}, VARY)

    def projects(self, exchange: Exchange) -> Response:
        """Projects that the user may get a token for."""
        return self._reachable(exchange, "project", "projects")

    def domains(self, exchange: Exchange) -> Response:
        """Domains that the user may get a token for."""
        return self._reachable(exchange, "domain", "domains")

    def _reachable(self, exchange: Exchange, target: str, collection: str) -> Response:
        caller = require_user(exchange)
        table = self._keystone.projects if target == "project" else self._keystone.domains
        origin = exchange.request.origin
        rows: list[Document] = []
        for identity in self._keystone.targets_of(caller.user_id, target):
            links = {"self": f"{origin}/v3/{collection}/{identity}"}
            rows.append({**table.get(identity), "links": links})
        page = {"next": None, "self": f"{origin}/v3/auth/{collection}", "previous": None}
        return json_response(200, {collection: rows, "links": page}, VARY)

    def system(self, exchange: Exchange) -> Response:
        """Whether the user may get a token for the whole system."""
        caller = require_user(exchange)
        held = self._keystone.roles_on(caller.user_id, "system", "all")
        links = {"self": f"{exchange.request.origin}/v3/auth/system"}
        return json_response(200, {"system": [{"all": True}] if held else [], "links": links}, VARY)


def _enforces_rules(text: str) -> bool:
    """Whether the asker says that it enforces access rules, version 1 or later."""
    try:
        return float(text) >= 1.0
    except ValueError:
        return False
