"""What travels with a token to one of several clouds: a scope that means this cloud, where it meant all.

Services call each other with the user's token. Were its scope still that of the request, each of a thousand
compute services would ask a thousand network services for the ports of its own servers, a million calls for
one list. So every service that is bound to several clouds, this one among them, is bound to this one alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import members
from oidproxy.errors import ScopeError
from oidproxy.routing.carriers import IDENTITY
from oidproxy.routing.plans import WEIGHT_OF_A_CLOUD, Several, meant
from oidproxy.scope.canonical import canonical
from oidproxy.scope.tree import EVERY_SERVICE, Binding, CloudName, Scope

if TYPE_CHECKING:
    from oidproxy.clouds.plan import One
    from oidproxy.routing.decision import Snapshot
    from oidproxy.scope.tree import Expr


class Narrowing:
    """One scope's, for the calls of one service. Each cloud's is made when it is first needed."""

    __slots__ = ("_fixed", "_home", "_known", "_service", "_several")

    def __init__(self, effective: Scope, service_type: str, home: str, snapshot: Snapshot) -> None:
        self._service = service_type
        self._home = home
        self._fixed: dict[str, Expr] = {}
        self._several: dict[str, frozenset[str]] = {}
        self._known: dict[One, Scope] = {}
        for binding in effective.bindings:
            self._fixed[binding.service] = binding.expr
            if binding.service != IDENTITY:
                clouds = _clouds(binding, home, snapshot)
                if clouds:
                    self._several[binding.service] = clouds

    def scope(self, one: One) -> Scope:
        """What travels to this cloud."""
        known = self._known.get(one)
        if known is None:
            known = self._known[one] = self._made(one)
        return known

    def _made(self, one: One) -> Scope:
        bound = dict(self._fixed)
        for service, clouds in self._several.items():
            if one.cloud in clouds:
                bound[service] = CloudName(one.cloud)
        if EVERY_SERVICE in bound and IDENTITY not in bound:
            bound[IDENTITY] = CloudName(self._home)
        if self._service != IDENTITY:
            bound[self._service] = CloudName(one.cloud, one.region)
        order = sorted(bound, key=lambda service: (service != EVERY_SERVICE, service))
        return Scope(tuple(Binding(service, bound[service]) for service in order))


def narrowing(effective: Scope, service_type: str, home: str, snapshot: Snapshot, clouds: int) -> Narrowing:
    """The narrowing of this scope; remembered, since that of a thousand clouds takes a while to be made."""
    key = ("narrowing", effective, service_type, home)
    found: Narrowing | None = snapshot.memory.get(key)
    if found is None:
        found = Narrowing(effective, service_type, home, snapshot)
        snapshot.memory.put(key, found, len(canonical(effective)) + 3 * clouds * WEIGHT_OF_A_CLOUD)
    return found


def _clouds(binding: Binding, home: str, snapshot: Snapshot) -> frozenset[str]:
    """The clouds of a service that is bound to several of them; none for any other."""
    try:
        found = meant(binding.expr, binding.service, home, snapshot)
    except ScopeError:
        return frozenset()
    if not isinstance(found, Several) or found.crossed:
        return frozenset()
    return frozenset(one.cloud for one in members(found.plan))
