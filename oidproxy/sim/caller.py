"""Who makes a request: what a service knows of a validated token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from oidproxy.sim.messages import Document
from oidproxy.sim.timestamps import seconds

Catalog = tuple[Document, ...]
"""A catalog as Keystone's token answers hold it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a request. An unscoped, domain or system token leaves `project_id` empty."""

    token: str = field(default="", repr=False)
    """As it was received: it goes out again in the calls that are made for this user."""
    user_id: str = ""
    user_name: str = ""
    user_domain_id: str = ""
    project_id: str = ""
    project_name: str = ""
    project_domain_id: str = ""
    domain_id: str = ""
    system: bool = False
    roles: frozenset[str] = frozenset()
    """Lower case: oslo.policy compares roles without regard to case."""
    catalog: Catalog = field(default=(), repr=False)
    expires: float = 0.0
    service_roles: frozenset[str] = frozenset()
    """Roles of the X-Service-Token that came along, if it was a valid one."""
    request_id: str = ""
    """The id that every call made for this request carries (oslo.context's `global_id`)."""

    @property
    def is_admin(self) -> bool:
        """Whether the services' default policies take this for an administrator."""
        return "admin" in self.roles

    @property
    def is_service(self) -> bool:
        """Whether a service speaks: by its own token, or for a user with its token beside the user's."""
        return "service" in self.roles or "service" in self.service_roles


ANONYMOUS = Caller()


def from_token(document: Document, token: str, service: Document | None = None) -> Caller:
    """Read Keystone's answer about a token, and about the service token beside it.

    Real services need user, its domain, methods and expires_at; a KeyError here is the 500 that they answer
    without.
    """
    user: dict[str, Any] = document["user"]
    document["methods"]
    project: dict[str, Any] = document.get("project") or {}
    return Caller(
        token=token,
        user_id=user["id"],
        user_name=user["name"],
        user_domain_id=user["domain"]["id"],
        project_id=project.get("id", ""),
        project_name=project.get("name", ""),
        project_domain_id=project["domain"]["id"] if project else "",
        domain_id=(document.get("domain") or {}).get("id", ""),
        system=bool((document.get("system") or {}).get("all")),
        roles=role_names(document),
        catalog=tuple(document.get("catalog", ())),
        expires=seconds(document["expires_at"]),
        service_roles=role_names(service) if service else frozenset(),
    )


def role_names(document: Document) -> frozenset[str]:
    """The names of a token's roles, in lower case."""
    return frozenset(role["name"].lower() for role in document.get("roles", ()))
