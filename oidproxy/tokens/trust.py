"""Whom a cloud admits: from a token as its home describes it to what another cloud's services hear of it.

Whoever validates at the home would be somebody here with every role that the home gave: its admin an admin,
its system-scoped token the speaker for this whole cloud. So nothing passes that is not named, no role and no
field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Admission, ServiceAccount

SERVICE_ROLE = "service"
"""Compared exactly, as all roles here. Services compare without case (oslo.policy): `Service` would be one
there, and is therefore never kept for a user either."""

_READS = frozenset({"GET", "HEAD"})
_NOT_A_PROJECT = (
    ("system", "it is system-scoped"),
    ("domain", "it is domain-scoped"),
    ("OS-TRUST:trust", "it was made by a trust"),
    ("OS-OAUTH1", "it was made by OAuth"),
    ("oauth2_credential", "it was made by OAuth"),
    ("bind", "it is bound to its owner's connection"),
)


class Refusal(Exception):
    """A token that a cloud does not admit. `reason` completes "refused because …", without any secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def admit(token: Mapping[str, object], admission: Admission | None) -> dict[str, object]:
    """The token's body for the services of the admitting cloud, without catalog; Refusal if not admitted.

    `token` is what stands under `token` in the home's own answer; `admission` what the cloud grants that
    home.
    """
    if admission is None:
        raise Refusal("this cloud admits nobody of that cloud")
    _refuse_other_kinds(token)
    user, project = _person(token, "user"), _person(token, "project")
    roles = _kept(user, project, _roles(token), admission)
    body: dict[str, object] = {
        "user": user,
        "project": project,
        "roles": roles,
        "methods": _strings(token, "methods"),
        "issued_at": _string(token, "issued_at"),
        "expires_at": _string(token, "expires_at"),
        "audit_ids": _strings(token, "audit_ids"),
        # oslo.context and oslo.policy read a missing one as true.
        "is_admin_project": False,
    }
    credential = token.get("application_credential")
    if credential is not None:
        # Whole: its access rules are enforced by the service that asks, and only if they arrive there.
        body["application_credential"] = credential
    return body


def may_send(admission: Admission, method: str) -> bool:
    """Whether a user admitted so may make a call with this method: a read-only guest reads."""
    return not admission.read_only or method in _READS


def is_declared(token: Mapping[str, object], admission: Admission | None) -> bool:
    """Whether this is the token of a service account that the cloud declared, with its `service` role."""
    if admission is None:
        return False
    try:
        user, project, roles = _person(token, "user"), _person(token, "project"), _roles(token)
    except Refusal:
        return False
    return _declared(user, project, admission.services) and _holds_service(roles)


def roles_of(token: Mapping[str, object]) -> frozenset[str]:
    """The names of the roles of a token; none for an unscoped one."""
    try:
        return frozenset(role["name"] for role in _roles(token))
    except Refusal:
        return frozenset()


def _refuse_other_kinds(token: Mapping[str, object]) -> None:
    for key, reason in _NOT_A_PROJECT:
        if token.get(key) is not None:
            raise Refusal(reason)
    # A delegation that this list does not know narrows a token in a way that would be lost here.
    if any(key.startswith("OS-") for key in token):
        raise Refusal("it carries an extension that is not known here")
    if any(method.startswith("oauth") for method in _strings(token, "methods")):
        raise Refusal("it was made by OAuth")
    if token.get("project") is None:
        raise Refusal("it is unscoped")
    if token.get("is_domain") not in (None, False):
        raise Refusal("its project is a domain")


def _kept(
    user: Mapping[str, object],
    project: Mapping[str, object],
    roles: Iterable[Mapping[str, str]],
    admission: Admission,
) -> list[dict[str, str]]:
    if _declared(user, project, admission.services):
        kept = [dict(role) for role in roles if role["name"] == SERVICE_ROLE]
    elif admission.projects is not None and project["id"] not in admission.projects:
        raise Refusal("its project is not admitted")
    else:
        kept = _granted(roles, admission)
    if not kept:
        raise Refusal("none of its roles is admitted")
    return kept


def _granted(roles: Iterable[Mapping[str, str]], admission: Admission) -> list[dict[str, str]]:
    """A user's roles after map and strip, each name once. Both listed and mapped: mapped, the narrower."""
    granted: dict[str, dict[str, str]] = {}
    for role in roles:
        listed = role["name"] if role["name"] in admission.roles else None
        name = admission.map.get(role["name"], listed)
        if name is not None and name.lower() != SERVICE_ROLE:
            granted.setdefault(name, {"id": role["id"], "name": name})
    return list(granted.values())


def _declared(
    user: Mapping[str, object], project: Mapping[str, object], services: Iterable[ServiceAccount]
) -> bool:
    return any(
        user["name"] == account.user
        and project["name"] == account.project
        and _in_domain(user, account.domain)
        and _in_domain(project, account.domain)
        for account in services
    )


def _in_domain(thing: Mapping[str, object], domain: str) -> bool:
    """By the domain's name: whoever owns another domain can call a user `nova` and a project `service`."""
    own = thing["domain"]
    return isinstance(own, Mapping) and own["name"] == domain


def _holds_service(roles: Iterable[Mapping[str, str]]) -> bool:
    return any(role["name"] == SERVICE_ROLE for role in roles)


# What a home answers comes from another operator's machine: every field is looked at before it is passed on.


def _person(token: Mapping[str, object], key: str) -> dict[str, object]:
    """`user` or `project`: id, name and domain, and not one field more."""
    whole = token.get(key)
    domain = whole.get("domain") if isinstance(whole, Mapping) else None
    if not isinstance(whole, Mapping) or not isinstance(domain, Mapping):
        raise Refusal(f"its home says nothing of its {key}")
    return {
        "id": _string(whole, "id"),
        "name": _string(whole, "name"),
        "domain": {"id": _string(domain, "id"), "name": _string(domain, "name")},
    }


def _roles(token: Mapping[str, object]) -> list[dict[str, str]]:
    roles = token.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, Mapping) for role in roles):
        raise Refusal("its home says nothing of its roles")
    return [{"id": _string(role, "id"), "name": _string(role, "name")} for role in roles]


def _string(holder: Mapping[str, object], key: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str):
        raise Refusal(f"its home says nothing of its {key}")
    return value


def _strings(holder: Mapping[str, object], key: str) -> list[str]:
    values = holder.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refusal(f"its home says nothing of its {key}")
    return list(values)
