"""What a Keystone knows: domains, projects, users, roles, grants, application credentials, its catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError
from oidproxy.sim.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.sim.caller import Catalog
    from oidproxy.sim.messages import Document
    from oidproxy.sim.sources import Sources

IMPLIED = {"admin": "manager", "manager": "member", "member": "reader"}
"""Role -> the role that having it implies (`keystone-manage bootstrap`)."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A user's role on one target: `project` or `domain` and its id, or `system` and `all`."""

    user_id: str
    role_id: str
    target: str
    target_id: str


class Keystone:
    """The state of one Keystone but for its tokens. Every change is a method; nothing here reads a clock."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.domains = Table("Could not find domain: %s.")
        self.projects = Table("Could not find project: %s.")
        self.users = Table("Could not find user: %s.")
        self.roles = Table("Could not find role: %s.")
        self.regions = Table("Could not find region: %s.")
        self.services = Table("Could not find service: %s.")
        self.endpoints = Table("Could not find endpoint: %s.")
        self.credentials = Table("Could not find Application Credential: %s.")
        self.access_rules = Table("Could not find Access Rule: %s.")
        self.grants: dict[Grant, None] = {}
        """A set that keeps its order."""

    def grant(self, user_id: str, role_id: str, target: str, target_id: str) -> None:
        """Give a user a role."""
        self.grants[Grant(user_id, role_id, target, target_id)] = None

    def revoke(self, user_id: str, role_id: str, target: str, target_id: str) -> None:
        """Take a role from a user; 404 when it has not got it."""
        try:
            del self.grants[Grant(user_id, role_id, target, target_id)]
        except KeyError:
            raise ApiError(404, f"Could not find role assignment with role: {role_id}.") from None

    def roles_on(self, user_id: str, target: str, target_id: str) -> list[Document]:
        """The roles of a user on a target, with those that they imply."""
        direct = [
            grant.role_id
            for grant in self.grants
            if (grant.user_id, grant.target, grant.target_id) == (user_id, target, target_id)
        ]
        return self._with_implied(direct)

    def _with_implied(self, role_ids: Iterable[str]) -> list[Document]:
        found: dict[str, Document] = {}
        for role_id in role_ids:
            role: Document | None = self.roles.get(role_id)
            while role is not None and role["id"] not in found:
                found[role["id"]] = role
                implied = IMPLIED.get(role["name"])
                role = self.roles.find(name=implied) if implied else None
        return list(found.values())

    def targets_of(self, user_id: str, target: str) -> list[str]:
        """Ids of the projects (or domains) on which a user has a role."""
        return list(
            dict.fromkeys(
                grant.target_id
                for grant in self.grants
                if grant.user_id == user_id and grant.target == target
            )
        )

    def is_live(self, project_id: str) -> bool:
        """Whether a project and its domain are there and enabled."""
        if project_id not in self.projects:
            return False
        project = self.projects.get(project_id)
        return bool(project["enabled"] and self.domains.get(project["domain_id"])["enabled"])

    def catalog(self, project_id: str) -> Catalog:
        """The catalog as a token of this project shows it; endpoints that need a project are left out
        without one."""
        return tuple(
            {
                "endpoints": self._endpoints(service["id"], project_id),
                "id": service["id"],
                "type": service["type"],
                "name": service["name"],
            }
            for service in self.services
            if service["enabled"]
        )

    def _endpoints(self, service_id: str, project_id: str) -> list[Document]:
        return [
            {
                "id": endpoint["id"],
                "interface": endpoint["interface"],
                "region_id": endpoint["region_id"],
                "region": endpoint["region_id"],
                "url": endpoint["url"].replace("$(project_id)s", project_id),
            }
            for endpoint in self.endpoints
            if endpoint["service_id"] == service_id and (project_id or "$(" not in endpoint["url"])
        ]

    def forget_user(self, user_id: str) -> None:
        """Delete a user and what hangs on it."""
        self.users.remove(user_id)
        self.grants = {grant: None for grant in self.grants if grant.user_id != user_id}
        for credential in self.credentials.where(user_id=user_id):
            self.credentials.remove(credential["id"])

    def forget_target(self, target: str, target_id: str) -> None:
        """Delete a project or domain and the roles on it."""
        (self.projects if target == "project" else self.domains).remove(target_id)
        self.grants = {
            grant: None for grant in self.grants if (grant.target, grant.target_id) != (target, target_id)
        }
