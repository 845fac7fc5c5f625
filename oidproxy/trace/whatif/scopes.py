"""Other scopes than the recorded ones: `--scope`, and `--map-scope 'image:* -> nearest(@fr)'`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from oidproxy.clouds.glob import matches
from oidproxy.errors import ConfigError, ScopeError
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import EVERY_SERVICE, AllClouds, Binding, CloudGlob, CloudName, Expr, Scope

ARROW = "->"
KEPT = 4096
"""Texts of scopes whose mapping is remembered."""


@dataclass(frozen=True, slots=True)
class ScopeMap:
    """One `--map-scope`: services, what they were bound to, and what they are bound to instead."""

    services: tuple[str, ...]
    """Official types; `*` stands for every service."""
    was: Expr
    """`*` is anything, nothing included; a name or a glob is one cloud; else this very expression."""
    becomes: Expr

    def holds(self, bound: Expr | None) -> bool:
        """Whether a binding is one of those that are replaced."""
        if isinstance(self.was, AllClouds):
            return True
        if isinstance(self.was, CloudGlob):
            return isinstance(bound, CloudName) and matches(self.was.pattern, bound.name)
        return bound == self.was


def scope_map(text: str) -> ScopeMap:
    """What one `--map-scope` says, as `image:* -> nearest(@fr)`. Raises ConfigError, ScopeError."""
    before, arrow, behind = text.partition(ARROW)
    if not arrow or ":" not in before:
        raise ConfigError(
            f"a map of scopes is SERVICE:WAS {ARROW} BECOMES, as 'image:* {ARROW} nearest(@fr)'; got {text!r}"
        )
    was, becomes = parse(before.strip()), parse(behind.strip())
    if len(becomes.bindings) != 1 or becomes.bindings[0].service != EVERY_SERVICE:
        raise ConfigError(
            f"behind the {ARROW} stands an expression alone, as nearest(@fr); got {behind.strip()!r}"
        )
    if len({binding.expr for binding in was.bindings}) != 1:
        raise ConfigError(f"before the {ARROW} stands one binding, as image:* or nova+placement:cloud-1")
    services = tuple(binding.service for binding in was.bindings)
    return ScopeMap(services, was.bindings[0].expr, becomes.bindings[0].expr)


class Scopes:
    """The scope of each request of a what-if, from the recorded one."""

    def __init__(self, scope: str | None = None, maps: tuple[ScopeMap, ...] = ()) -> None:
        """`scope` takes the place of every recorded one, then `maps` are gone through in their order.

        Raises ScopeError.
        """
        self._scope = None if scope is None else parse(scope) if scope else Scope()
        self._maps = maps
        self._mapped = lru_cache(maxsize=KEPT)(self._read)

    def of(self, recorded: str, service: str) -> str:
        """The canonical text that a request to this service is sent with; "" for none."""
        if self._scope is None and not self._maps:
            return recorded
        return self._mapped(recorded, service)

    def _read(self, recorded: str, service: str) -> str:
        try:
            scope = self._scope if self._scope is not None else parse(recorded) if recorded else Scope()
        except ScopeError:
            return recorded  # it was refused then, and is now
        for one in self._maps:
            scope = _replaced(scope, one, service)
        return canonical(scope)


def _replaced(scope: Scope, rule: ScopeMap, asked: str) -> Scope:
    """The scope with every binding replaced that the rule names; `asked` is bound though nothing bound it."""
    bindings = {binding.service: binding.expr for binding in scope.bindings}
    named = {*bindings, EVERY_SERVICE} if EVERY_SERVICE in rule.services else set(rule.services)
    for service in named:
        bound = bindings.get(
            service, scope.binding(asked) if service == asked else bindings.get(EVERY_SERVICE)
        )
        if rule.holds(bound):
            bindings[service] = rule.becomes
    ordered = sorted(bindings.items(), key=lambda item: (item[0] != EVERY_SERVICE, item[0]))
    return Scope(tuple(Binding(service, expr) for service, expr in ordered))
