"""From the body of `POST /v3/auth/tokens` to a token: who it is, by which method, and for what scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from oidproxy.sim.faults import ApiError
from oidproxy.sim.keystone.tokens import Scope, Token, Tokens
from oidproxy.sim.timestamps import seconds

if TYPE_CHECKING:
    from oidproxy.sim.keystone.model import Keystone
    from oidproxy.sim.messages import Document

UNAUTHORIZED = "The request you have made requires authentication."


def unauthorized() -> ApiError:
    """What Keystone answers without saying why."""
    return ApiError(401, UNAUTHORIZED)


@dataclass(frozen=True, slots=True)
class _Proof:
    """What one method proved."""

    user_id: str
    methods: tuple[str, ...]
    parent: Token | None = field(default=None, repr=False)
    credential: Document | None = field(default=None, repr=False)


def authenticate(keystone: Keystone, tokens: Tokens, body: Document) -> Token:
    """Issue a token; 400 for a body of another shape, 401 for a wrong proof, 404 for a bad token in the
    body."""
    auth = body.get("auth")
    identity = auth.get("identity") if isinstance(auth, dict) else None
    if not isinstance(auth, dict) or not isinstance(identity, dict) or not identity.get("methods"):
        raise ApiError(400, "Expecting to find valid JSON with auth.identity.methods in the request body.")
    proof = _combine([_prove(keystone, tokens, method, identity) for method in identity["methods"]])
    scope = _scope(keystone, auth.get("scope"), proof)
    credential_id = proof.credential["id"] if proof.credential else ""
    token = tokens.issue(
        proof.user_id, proof.methods, scope, parent=proof.parent, credential_id=credential_id
    )
    if scope.target and not token.role_ids(keystone):
        tokens.revoke(token)
        raise unauthorized()
    return token


def _combine(proofs: list[_Proof]) -> _Proof:
    """Several methods must prove the same user."""
    if len({proof.user_id for proof in proofs}) != 1:
        raise unauthorized()
    first = proofs[0]
    methods = tuple(dict.fromkeys(method for proof in proofs for method in proof.methods))
    parent = next((proof.parent for proof in proofs if proof.parent), None)
    return _Proof(first.user_id, methods, parent, first.credential)


def _prove(keystone: Keystone, tokens: Tokens, method: str, identity: Document) -> _Proof:
    payload = identity.get(method)
    if not isinstance(payload, dict):
        raise ApiError(400, f"Expecting to find {method} in identity.")
    match method:
        case "password":
            return _Proof(_password(keystone, payload), ("password",))
        case "token":
            parent = tokens.validate(str(payload.get("id", "")), access_rules=True)
            # A token of an application credential may not become another one: it would lose its restrictions.
            if parent.credential_id:
                raise unauthorized()
            return _Proof(parent.user_id, tuple(dict.fromkeys(("token", *parent.methods))), parent)
        case "application_credential":
            credential = _credential(keystone, payload)
            return _Proof(credential["user_id"], ("application_credential",), credential=credential)
        case _:
            raise ApiError(401, "Attempted to authenticate with an unsupported method.")


def _password(keystone: Keystone, payload: Document) -> str:
    given = payload.get("user") or {}
    user = _user(keystone, given)
    if user is None or not user["enabled"]:
        raise unauthorized()
    if not compare_digest(str(given.get("password", "")).encode(), user["password"].encode()):
        raise unauthorized()
    return str(user["id"])


def _user(keystone: Keystone, given: Document) -> Document | None:
    if "id" in given:
        return keystone.users.find(id=given["id"])
    domain = _domain(keystone, given.get("domain") or {})
    return keystone.users.find(name=given.get("name"), domain_id=domain["id"]) if domain else None


def _domain(keystone: Keystone, given: Document) -> Document | None:
    key = "id" if "id" in given else "name"
    domain = keystone.domains.find(**{key: given.get(key)})
    return domain if domain and domain["enabled"] else None


def _credential(keystone: Keystone, payload: Document) -> Document:
    if "id" in payload:
        credential = keystone.credentials.find(id=payload["id"])
    else:
        user = _user(keystone, payload.get("user") or {})
        credential = keystone.credentials.find(name=payload.get("name"), user_id=user["id"]) if user else None
    secret = str(payload.get("secret", "")).encode()
    if credential is None or not compare_digest(secret, credential["secret"].encode()):
        raise unauthorized()
    expires = credential["expires_at"]
    if expires and seconds(expires) <= keystone.sources.now():
        raise unauthorized()
    if not keystone.users.get(credential["user_id"])["enabled"]:
        raise unauthorized()
    return credential


def _scope(keystone: Keystone, wanted: Any, proof: _Proof) -> Scope:
    if proof.credential is not None:
        if wanted:
            raise ApiError(401, "Application credentials cannot request a scope.")
        return Scope(project_id=proof.credential["project_id"])
    if wanted is None:
        return _default_scope(keystone, proof.user_id)
    if wanted == "unscoped" or not isinstance(wanted, dict) or "unscoped" in wanted:
        return Scope()
    if proof.parent and proof.parent.scope.system and ("project" in wanted or "domain" in wanted):
        raise ApiError(
            403,
            "Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.",
        )
    if "project" in wanted:
        return Scope(project_id=_project(keystone, wanted["project"]))
    if "domain" in wanted:
        domain = _domain(keystone, wanted["domain"])
        if domain is None:
            raise unauthorized()
        return Scope(domain_id=domain["id"])
    if "system" in wanted:
        return Scope(system=True)
    raise ApiError(400, "Invalid scope.")


def _default_scope(keystone: Keystone, user_id: str) -> Scope:
    """The user's default project where it has one and may use it; else the token is unscoped."""
    project_id = keystone.users.get(user_id).get("default_project_id") or ""
    usable = keystone.is_live(project_id) and keystone.roles_on(user_id, "project", project_id)
    return Scope(project_id=project_id) if usable else Scope()


def _project(keystone: Keystone, given: Document) -> str:
    if "id" in given:
        project = keystone.projects.find(id=given["id"])
    else:
        domain = _domain(keystone, given.get("domain") or {})
        project = keystone.projects.find(name=given.get("name"), domain_id=domain["id"]) if domain else None
    if project is None or not keystone.is_live(project["id"]):
        raise unauthorized()
    return str(project["id"])
