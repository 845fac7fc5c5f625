"""Keystone's answers: tokens, errors, version documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError, title
from oidproxy.sim.messages import Document, Request, Response, json_response
from oidproxy.sim.timestamps import micro_zulu

if TYPE_CHECKING:
    from oidproxy.sim.keystone.model import Keystone
    from oidproxy.sim.keystone.tokens import Token


def token_document(keystone: Keystone, token: Token, *, catalog: bool) -> Document:
    """What `GET /v3/auth/tokens` says of a token (keystone.common.render_token)."""
    document: Document = {
        "methods": list(token.methods),
        "user": _user(keystone, token.user_id),
        "audit_ids": list(token.audit_ids),
        "expires_at": micro_zulu(token.expires),
        "issued_at": micro_zulu(token.issued),
    }
    document |= _scope(keystone, token)
    if catalog and token.scope.target:
        document["catalog"] = list(keystone.catalog(token.scope.project_id))
    if token.credential_id:
        document["application_credential"] = _credential(keystone.credentials.get(token.credential_id))
    return document


def _user(keystone: Keystone, user_id: str) -> Document:
    user = keystone.users.get(user_id)
    return {
        "domain": _named(keystone.domains.get(user["domain_id"])),
        "id": user["id"],
        "name": user["name"],
        "password_expires_at": None,
    }


def _named(document: Document) -> Document:
    return {"id": document["id"], "name": document["name"]}


def _scope(keystone: Keystone, token: Token) -> Document:
    if token.scope.target is None:
        return {}
    roles = [_named(keystone.roles.get(role)) for role in token.role_ids(keystone)]
    if token.scope.project_id:
        project = keystone.projects.get(token.scope.project_id)
        domain = _named(keystone.domains.get(project["domain_id"]))
        return {"project": {"domain": domain, **_named(project)}, "is_domain": False, "roles": roles}
    if token.scope.domain_id:
        return {"domain": _named(keystone.domains.get(token.scope.domain_id)), "roles": roles}
    return {"system": {"all": True}, "roles": roles}


def _credential(credential: Document) -> Document:
    document = {
        "id": credential["id"],
        "name": credential["name"],
        "restricted": not credential["unrestricted"],
    }
    if credential["access_rules"]:
        document["access_rules"] = credential["access_rules"]
    return document


def error(fault: ApiError, _request: Request, _request_id: str) -> Response:
    """Keystone's error answers."""
    body = {"code": fault.status, "message": fault.message, "title": title(fault.status)}
    return json_response(fault.status, {"error": body})


def version(request: Request) -> Document:
    """The description of v3."""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{request.origin}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }
