"""Scope texts of a configuration: read, and once the registry stands, checked for meaning something in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import members
from oidproxy.clouds.resolve import resolve
from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import canonical_expr
from oidproxy.scope.nearest import nearest
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import EVERY_SERVICE, NO_SCOPE, AllOf, CloudName, Expr, FirstOf, Scope

if TYPE_CHECKING:
    from oidproxy.clouds.document import Path
    from oidproxy.clouds.findings import Findings
    from oidproxy.clouds.registry import Listener, Registry

NAMES_SHOWN = 8


def scope_text(text: str, path: Path, findings: Findings) -> Scope:
    """The scope of a text; blank binds nothing. An error points into the text."""
    if not text.strip():
        return NO_SCOPE
    try:
        return parse(text)
    except ScopeError as error:
        findings.wrong_scope(path, error)
        return NO_SCOPE


def check_meaning(scope: Scope, home: str, path: Path, registry: Registry, findings: Findings) -> None:
    """Note every binding of `scope` that names a service or a cloud which the registry lacks."""
    all_known = not any(cloud.unlearned for cloud in registry.clouds.values())
    for binding in scope.bindings:
        service = binding.service
        if all_known and service != EVERY_SERVICE and service not in registry.service_types:
            suggestion = nearest(service, registry.service_types)
            findings.wrong(path, f"no cloud has a service {service!r}", suggestion=suggestion)
        try:
            resolve(binding.expr, registry, home=home)
        except ScopeError as error:
            findings.wrong(path, error.message, suggestion=error.suggestion)


def check_logins(registry: Registry, findings: Findings) -> None:
    """Note default scopes under which the services of a cloud would log in at another.

    Beside a cloud its own services log in too. They have no token yet that names their home, and give no
    scope, so a default decides.
    """
    away: dict[tuple[Path, Expr], list[str]] = {}
    for position, listener in enumerate(registry.listeners):
        path, expr = _login(position, listener, registry)
        if listener.cloud and expr is not None and _leads_away(expr, listener.cloud, registry):
            away.setdefault((path, expr), []).append(listener.cloud)
    for (path, expr), clouds in away.items():
        findings.doubtful(path, _away(expr, clouds))


def _login(position: int, listener: Listener, registry: Registry) -> tuple[Path, Expr | None]:
    """What a login is bound to that carries no scope, and where that is written."""
    own = listener.scope.binding("identity")
    if own is not None:
        return ("listeners", position, "scope"), own
    return ("scope",), registry.scope.binding("identity")


def _leads_away(expr: Expr, cloud: str, registry: Registry) -> bool:
    """Whether a login goes elsewhere: to the cloud named first, or to a set that is without this one."""
    alternative = expr.operands[0] if isinstance(expr, FirstOf) else expr
    first = alternative
    while isinstance(first, AllOf | FirstOf):
        first = first.operands[0]
    if isinstance(first, CloudName):
        return first.name != cloud
    try:
        found = members(resolve(alternative, registry, home=cloud))
    except ScopeError:  # a set without members, before a `|`
        return True
    return all(one.cloud != cloud for one in found)


def _away(expr: Expr, clouds: list[str]) -> str:
    names = ", ".join(clouds[:NAMES_SHOWN]) + (", …" if len(clouds) > NAMES_SHOWN else "")
    return (
        f"this scope binds identity to {canonical_expr(expr)}: the services of {names} log in there too, and "
        "not at their own Keystone; bind services by name, and leave identity out"
    )
