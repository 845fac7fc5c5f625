"""Keystone's application credentials and their access rules: a user's own, below `/v3/users/{id}`."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.keystone.guard import forbidden, require_user
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.routes import Exchange, Route
from oidproxy.sim.timestamps import micro, seconds

if TYPE_CHECKING:
    from oidproxy.sim.keystone.model import Keystone
    from oidproxy.sim.keystone.tokens import Tokens
    from oidproxy.sim.steps import Procedure

MANY = "/v3/users/{user_id}/application_credentials"
RULES = "/v3/users/{user_id}/access_rules"


class CredentialsApi:
    """Handlers of application credentials."""

    def __init__(self, keystone: Keystone, tokens: Tokens) -> None:
        self._keystone = keystone
        self._tokens = tokens

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("POST", MANY, self.create),
            Route("GET", MANY, self.list),
            Route("GET", f"{MANY}/{{id}}", self.show),
            Route("DELETE", f"{MANY}/{{id}}", self.delete),
            Route("GET", RULES, self.list_rules),
            Route("GET", f"{RULES}/{{id}}", self.show_rule),
            Route("DELETE", f"{RULES}/{{id}}", self.delete_rule),
        )

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """A credential for the project of the token that asks; the secret is shown this once."""
        self._require_own(exchange, "create_application_credential")
        given = yield from body.member(exchange, "application_credential")
        self._refuse_restricted(exchange)
        name = given.get("name")
        if not name:
            raise ApiError(400, "'name' is a required property")
        if self._keystone.credentials.find(name=name, user_id=exchange.caller.user_id):
            raise ApiError(
                409,
                f"Conflict occurred attempting to store application_credential - Duplicate entry: {name}.",
            )
        document = self._document(exchange, given)
        self._keystone.credentials.add(document)
        shown = {**_view(exchange, document), "secret": document["secret"]}
        return json_response(201, {"application_credential": shown})

    def _document(self, exchange: Exchange, given: Document) -> Document:
        sources = self._keystone.sources
        # OSC sends empty lists for "all my roles" and "no rules".
        rules = given.get("access_rules") or None
        expires = given.get("expires_at")
        return {
            "id": sources.hex(),
            "name": given["name"],
            "description": given.get("description"),
            "user_id": exchange.caller.user_id,
            "project_id": exchange.caller.project_id,
            "roles": self._roles(exchange, given.get("roles")),
            "unrestricted": bool(given.get("unrestricted", False)),
            "expires_at": micro(seconds(expires)) if expires else None,
            "secret": given.get("secret") or urlsafe_b64encode(sources.octets(64)).decode().rstrip("="),
            "access_rules": None if rules is None else [self._rule(exchange, rule) for rule in rules],
        }

    def _roles(self, exchange: Exchange, wanted: list[Document] | None) -> list[Document]:
        caller = exchange.caller
        if not caller.project_id:
            raise ApiError(400, "A project-scoped token is required to create an application credential.")
        held = self._keystone.roles_on(caller.user_id, "project", caller.project_id)
        if not wanted:
            return held
        chosen = [role for role in held if any(_is_role(role, one) for one in wanted)]
        if len(chosen) < len(wanted):
            raise ApiError(400, "Invalid application credential: Could not find role assignment")
        return chosen

    def _rule(self, exchange: Exchange, given: Document) -> Document:
        if "id" in given:
            return self._own_rule(exchange, given["id"])
        rule = {key: given.get(key) for key in ("service", "path", "method")}
        if not all(rule.values()):
            raise ApiError(400, "An access rule needs service, path and method.")
        same = self._keystone.access_rules.find(user_id=exchange.caller.user_id, **rule)
        row = same or {"id": self._keystone.sources.hex(), "user_id": exchange.caller.user_id, **rule}
        return _rule_view(self._keystone.access_rules.add(row))

    def _own_rule(self, exchange: Exchange, identity: str) -> Document:
        rule = self._keystone.access_rules.get(identity)
        if rule["user_id"] != exchange.params["user_id"]:
            raise self._keystone.access_rules.missing(identity)
        return _rule_view(rule)

    def list(self, exchange: Exchange) -> Response:
        """A user's credentials."""
        self._require_own(exchange, "list_application_credentials", read=True)
        rows = self._keystone.credentials.where(user_id=exchange.params["user_id"])
        name = exchange.request.parameter("name")
        shown = [_view(exchange, row) for row in rows if not name or row["name"] == name]
        links = {"next": None, "self": exchange.request.origin + exchange.request.path, "previous": None}
        return json_response(200, {"application_credentials": shown, "links": links})

    def show(self, exchange: Exchange) -> Response:
        """One credential, without its secret."""
        self._require_own(exchange, "get_application_credential", read=True)
        return json_response(200, {"application_credential": _view(exchange, self._own(exchange))})

    def delete(self, exchange: Exchange) -> Response:
        """Delete a credential; its tokens end with it."""
        self._require_own(exchange, "delete_application_credential")
        self._refuse_restricted(exchange)
        self._keystone.credentials.remove(self._own(exchange)["id"])
        return empty()

    def list_rules(self, exchange: Exchange) -> Response:
        """A user's access rules."""
        self._require_own(exchange, "list_access_rules", read=True)
        rows = [
            _rule_view(row) for row in self._keystone.access_rules.where(user_id=exchange.params["user_id"])
        ]
        links = {"next": None, "self": exchange.request.origin + exchange.request.path, "previous": None}
        return json_response(200, {"access_rules": rows, "links": links})

    def show_rule(self, exchange: Exchange) -> Response:
        """One access rule."""
        self._require_own(exchange, "get_access_rule", read=True)
        return json_response(200, {"access_rule": self._own_rule(exchange, exchange.params["id"])})

    def delete_rule(self, exchange: Exchange) -> Response:
        """Delete a rule that no credential uses."""
        self._require_own(exchange, "delete_access_rule")
        identity = self._own_rule(exchange, exchange.params["id"])["id"]
        for credential in self._keystone.credentials.where(user_id=exchange.params["user_id"]):
            if any(rule["id"] == identity for rule in credential["access_rules"] or ()):
                raise ApiError(403, "Access rule is in use by an application credential.")
        self._keystone.access_rules.remove(identity)
        return empty()

    def _own(self, exchange: Exchange) -> Document:
        row = self._keystone.credentials.get(exchange.params["id"])
        if row["user_id"] != exchange.params["user_id"]:
            raise self._keystone.credentials.missing(row["id"])
        return row

    def _require_own(self, exchange: Exchange, action: str, *, read: bool = False) -> None:
        """Only the user itself; administrators may look and delete, as Keystone's default policies have
        it."""
        caller = require_user(exchange)
        own = caller.user_id == exchange.params["user_id"]
        if not own and not (caller.is_admin and (read or action.startswith("delete"))):
            raise forbidden(action)

    def _refuse_restricted(self, exchange: Exchange) -> None:
        """A token of a restricted credential may not make or delete credentials."""
        token = self._tokens.validate(exchange.caller.token, access_rules=True)
        if token.credential_id and not self._keystone.credentials.get(token.credential_id)["unrestricted"]:
            raise forbidden("create_application_credential")


def _is_role(role: Document, wanted: Document) -> bool:
    return bool(role["id"] == wanted.get("id") or role["name"] == wanted.get("name"))


def _rule_view(rule: Document) -> Document:
    return {key: rule[key] for key in ("id", "service", "path", "method")}


def _view(exchange: Exchange, row: Document) -> Document:
    shown = {key: value for key, value in row.items() if key not in {"secret", "access_rules"}}
    if row["access_rules"] is not None:
        shown["access_rules"] = row["access_rules"]
    roles = [{"id": role["id"], "name": role["name"], "domain_id": None} for role in row["roles"]]
    base = f"{exchange.request.origin}/v3/users/{row['user_id']}/application_credentials/{row['id']}"
    return {**shown, "roles": roles, "system": None, "links": {"self": base}}
