"""The URLs under which the proxy serves a service, as catalogs show them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oidproxy.clouds.addresses import PROJECT_ID
from oidproxy.scope.tag import tag

if TYPE_CHECKING:
    from oidproxy.routing.decision import Facade
    from oidproxy.scope.tree import Scope


def bound_to(facade: Facade, scope: Scope) -> Facade:
    """The facade whose URLs bind this scope."""
    return replace(facade, tag=tag(scope) if scope.bindings else "")


def is_reachable(facade: Facade, service_type: str) -> bool:
    """Whether this facade's URL of a service leads anywhere.

    Beside a cloud, a service without a port of its own is reached only behind a scope, or on a gateway port.
    """
    listener = facade.listener
    return bool(facade.tag) or service_type in listener.ports or facade.port == listener.port


def untagged(facade: Facade, service_type: str) -> Facade | None:
    """The facade under which a service is reached without a scope; None if it is not."""
    plain = replace(facade, tag="")
    if is_reachable(plain, service_type):
        return plain
    port = facade.listener.port
    return None if port is None else replace(plain, port=port)


def service_url(facade: Facade, service_type: str, suffix: str, project_id: str) -> str | None:
    """The catalog URL of a service; None if it needs a project and there is none."""
    if PROJECT_ID in suffix and not project_id:
        return None
    return facade.base(service_type) + suffix.replace(PROJECT_ID, project_id)
