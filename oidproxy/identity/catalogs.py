"""Whose addresses a token answer shows: always the proxy's, and to a service those of its own cloud only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from oidproxy.rewrite.catalog import client_catalog, service_catalog

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry
    from oidproxy.routing.decision import Facade
    from oidproxy.scope.tree import Scope


def for_client(
    told: Mapping[str, object], registry: Registry, home: str, bound: Scope, facade: Facade
) -> dict[str, object]:
    """This answer of the home's Keystone with a client's catalog in place of its own, where it has one."""
    body = dict(told)
    catalog = body.get("catalog")
    if isinstance(catalog, list):
        body["catalog"] = client_catalog(
            catalog, registry=registry, bound=bound, home=home, facade=facade, project_id=_project(told)
        )
    return body


def for_service(told: Mapping[str, object], registry: Registry, cloud: str, facade: Facade) -> list[object]:
    """The catalog that services of this cloud need: its own addresses and regions, for the subject's project.

    Never a tag: a service calls with the user's token, which carries the scope itself.
    """
    return list(service_catalog(registry, cloud, _project(told), facade))


def _project(told: Mapping[str, object]) -> str:
    project = told.get("project")
    name = project.get("id") if isinstance(project, Mapping) else None
    return name if isinstance(name, str) else ""
