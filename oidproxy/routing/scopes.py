"""The scopes that a request itself carries, read and checked: of X-Scope, of its URL, one over another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.clouds.resolve import resolve
from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import canonical, offsets_of
from oidproxy.scope.limits import MOST_CANONICAL
from oidproxy.scope.parse import parse
from oidproxy.scope.services import known, nearest_service
from oidproxy.scope.tag import from_segment, tag
from oidproxy.scope.tree import EVERY_SERVICE, NO_SCOPE, Scope

if TYPE_CHECKING:
    from oidproxy.clouds.plan import Plan
    from oidproxy.clouds.registry import Registry
    from oidproxy.routing.decision import Snapshot
    from oidproxy.scope.tree import Expr


@dataclass(frozen=True, slots=True)
class UrlScope:
    """The scope of a URL and its tag."""

    scope: Scope = NO_SCOPE
    tag: str = ""


NO_URL_SCOPE = UrlScope()


def header_scope(text: bytes | None, snapshot: Snapshot) -> Scope:
    """What X-Scope says. Raises ScopeError, also for what means nothing in this registry."""
    if text is None:
        return NO_SCOPE
    key = ("header", text)
    found: Scope | None = snapshot.memory.get(key)
    if found is not None:
        snapshot.memory.scopes.found += 1
    else:
        snapshot.memory.scopes.missed += 1
        found = _checked(parse(text), snapshot)
        snapshot.memory.put(key, found, len(text))
    return found


def url_scope(segment: bytes | None, snapshot: Snapshot) -> UrlScope:
    """What the segment behind `/s/` says. Raises ScopeError, also for what means nothing in this registry."""
    if segment is None:
        return NO_URL_SCOPE
    key = ("url", segment)
    found: UrlScope | None = snapshot.memory.get(key)
    if found is not None:
        snapshot.memory.scopes.found += 1
    else:
        snapshot.memory.scopes.missed += 1
        scope = _checked(from_segment(segment), snapshot)
        found = UrlScope(scope, tag(scope))
        snapshot.memory.put(key, found, len(segment))
    return found


def merged(higher: Scope, lower: Scope, snapshot: Snapshot) -> Scope:
    """One scope over another. Raises ScopeError where the two together are too long."""
    if not lower.bindings or higher.names(EVERY_SERVICE):
        return higher
    if not higher.bindings or higher is lower:
        return lower
    key = ("merged", higher, lower)
    found: Scope | None = snapshot.memory.get(key)
    if found is None:
        found = _measured(higher.over(lower))
        snapshot.memory.put(key, found, 2 * MOST_CANONICAL)
    return found


def tag_of(scope: Scope) -> str:
    """The URL tag of a scope; empty for one that binds nothing."""
    return tag(scope) if scope.bindings else ""


def meaning(scope: Scope, service: str, expr: Expr, home: str, registry: Registry) -> Plan:
    """The plan of an expression to which a scope binds a service.

    Raises ScopeError with its position in the canonical text of that scope: of several bindings, it shows
    which one is meant.
    """
    try:
        return resolve(expr, registry, home=home)
    except ScopeError as error:
        column = offsets_of(scope, service)[1] + error.column
        raise ScopeError(
            error.message, text=canonical(scope), column=column, suggestion=error.suggestion
        ) from None


def _checked(scope: Scope, snapshot: Snapshot) -> Scope:
    """All of it is looked up, not only what this request needs: a typing error shows at the first request."""
    registry = snapshot.registry
    for binding in scope.bindings:
        _check_service(binding.service, scope, registry)
        meaning(scope, binding.service, binding.expr, registry.local, registry)
    return scope


def _check_service(service: str, scope: Scope, registry: Registry) -> None:
    if service == EVERY_SERVICE or service in registry.service_types or known(service):
        return
    if any(cloud.unlearned for cloud in registry.clouds.values()):
        return
    raise ScopeError(
        f"no cloud has a service {service!r}",
        text=canonical(scope),
        column=offsets_of(scope, service)[0] + 1,
        suggestion=nearest_service(service, sorted(registry.service_types)),
    )


def _measured(scope: Scope) -> Scope:
    size = len(canonical(scope).encode())
    if size > MOST_CANONICAL:
        raise ScopeError(
            f"the scopes of header, URL and token together take {size} bytes in their canonical form, at "
            f"most {MOST_CANONICAL} are allowed: name a group"
        )
    return scope
