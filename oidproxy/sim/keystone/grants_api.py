"""Keystone's role assignments: who has which role where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.keystone.guard import require
from oidproxy.sim.keystone.model import Grant, Keystone
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.paging import truth
from oidproxy.sim.routes import Exchange, Route

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS = (
    ("project", "/v3/projects/{target_id}/users/{user_id}/roles"),
    ("domain", "/v3/domains/{target_id}/users/{user_id}/roles"),
    ("system", "/v3/system/users/{user_id}/roles"),
)


class GrantsApi:
    """Handlers of grants and of `/v3/role_assignments`."""

    def __init__(self, keystone: Keystone) -> None:
        self._keystone = keystone

    def routes(self) -> list[Route]:
        """Four routes a kind of target, and the lists."""
        found = [
            Route("GET", "/v3/role_assignments", self.list),
            Route("GET", "/v3/users/{user_id}/projects", self.projects_of),
        ]
        for target, path in TARGETS:
            one = f"{path}/{{role_id}}"
            found += [
                Route("GET", path, self._on(target, self.held)),
                Route("GET", one, self._on(target, self.check)),
                Route("PUT", one, self._on(target, self.grant)),
                Route("DELETE", one, self._on(target, self.revoke)),
            ]
        return found

    @staticmethod
    def _on(target: str, handler: Callable[[str, Exchange], Response]) -> Callable[[Exchange], Response]:
        return lambda exchange: handler(target, exchange)

    def held(self, target: str, exchange: Exchange) -> Response:
        """The roles that a user was given on a target, without those that they imply."""
        require(exchange, "list_grants", read=True)
        user_id, target_id = exchange.params["user_id"], exchange.params.get("target_id", "all")
        roles = [
            self._keystone.roles.get(grant.role_id)
            for grant in self._keystone.grants
            if (grant.user_id, grant.target, grant.target_id) == (user_id, target, target_id)
        ]
        links = {"next": None, "self": exchange.request.origin + exchange.request.path, "previous": None}
        return json_response(200, {"roles": roles, "links": links})

    def check(self, target: str, exchange: Exchange) -> Response:
        """Whether a user has a role."""
        require(exchange, "check_grant", read=True)
        grant = self._grant(target, exchange)
        if grant not in self._keystone.grants:
            raise self._keystone.roles.missing(grant.role_id)
        return empty()

    def grant(self, target: str, exchange: Exchange) -> Response:
        """Give a role."""
        require(exchange, "create_grant")
        grant = self._grant(target, exchange)
        self._keystone.grants[grant] = None
        return empty()

    def revoke(self, target: str, exchange: Exchange) -> Response:
        """Take a role."""
        require(exchange, "revoke_grant")
        grant = self._grant(target, exchange)
        self._keystone.revoke(grant.user_id, grant.role_id, grant.target, grant.target_id)
        return empty()

    def _grant(self, target: str, exchange: Exchange) -> Grant:
        """What the path names; 404 where one of the three is not there."""
        keystone, params = self._keystone, exchange.params
        target_id = params.get("target_id", "all")
        if target != "system":
            (keystone.projects if target == "project" else keystone.domains).get(target_id)
        user, role = keystone.users.get(params["user_id"]), keystone.roles.get(params["role_id"])
        return Grant(user["id"], role["id"], target, target_id)

    def projects_of(self, exchange: Exchange) -> Response:
        """The projects of a user: its own business, and administrators'."""
        user_id = exchange.params["user_id"]
        require(exchange, "list_user_projects", own=exchange.caller.user_id == user_id, read=True)
        rows = [self._keystone.projects.get(one) for one in self._keystone.targets_of(user_id, "project")]
        links = {"next": None, "self": exchange.request.origin + exchange.request.path, "previous": None}
        return json_response(200, {"projects": rows, "links": links})

    def list(self, exchange: Exchange) -> Response:
        """Every assignment that the query's filters let through."""
        require(exchange, "list_role_assignments", read=True)
        names = truth(exchange.request.parameter("include_names"))
        rows = [
            self._row(grant, exchange, names=names)
            for grant in self._keystone.grants
            if _wanted(grant, exchange)
        ]
        links = {"next": None, "self": f"{exchange.request.origin}/v3/role_assignments", "previous": None}
        return json_response(200, {"role_assignments": rows, "links": links})

    def _row(self, grant: Grant, exchange: Exchange, *, names: bool) -> Document:
        keystone = self._keystone
        user = keystone.users.get(grant.user_id)
        scope: Document = {"system": {"all": True}}
        if grant.target != "system":
            table = keystone.projects if grant.target == "project" else keystone.domains
            scope = {grant.target: _reference(table.get(grant.target_id), names=names)}
        role = keystone.roles.get(grant.role_id)
        return {
            "scope": scope,
            "user": _reference(user, names=names),
            "role": {"id": role["id"], "name": role["name"]} if names else {"id": role["id"]},
            "links": {"assignment": f"{exchange.request.origin}/v3/role_assignments"},
        }


def _wanted(grant: Grant, exchange: Exchange) -> bool:
    request = exchange.request
    filters = {
        "user.id": grant.user_id,
        "role.id": grant.role_id,
        "scope.project.id": grant.target_id if grant.target == "project" else None,
        "scope.domain.id": grant.target_id if grant.target == "domain" else None,
        "scope.system": "all" if grant.target == "system" else None,
    }
    return all(
        not request.parameter(name) or request.parameter(name) == value for name, value in filters.items()
    )


def _reference(document: Document, *, names: bool) -> Document:
    if not names:
        return {"id": document["id"]}
    reference = {"id": document["id"], "name": document["name"]}
    if "domain_id" in document:
        domain = document["domain_id"]
        reference["domain"] = {"id": domain, "name": "Default" if domain == "default" else domain}
    return reference
