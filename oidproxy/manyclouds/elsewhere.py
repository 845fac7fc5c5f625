"""A request as it is in the project that its token was exchanged for, and what puts its answers back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oidproxy.rewrite import ids
from oidproxy.rewrite.ids import NO_IDS, Ids

if TYPE_CHECKING:
    from oidproxy.identity.service import Projects
    from oidproxy.routing.decision import Route


def elsewhere(route: Route, body: bytes | None, project: Projects) -> tuple[Route, bytes | None, Ids]:
    """Way and body with the project's id there, and the ids to be put back in the answer."""
    if project.home == project.here:
        return route, body, NO_IDS
    service_type, rest = route.service_type, route.rest
    there = replace(route, target=ids.in_target(route.target, project.home, project.here, service_type))
    back = ids.projects(project.here, project.home, service_type, rest)
    if body is not None:
        body = ids.in_body(body, ids.projects(project.home, project.here, service_type, rest))
    return there, body, back
