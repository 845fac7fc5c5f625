"""Version documents of a service that is bound to several clouds: one of them answers, the calls are refused.

Clients read version documents before their first call (keystoneauth calls it discovery), and one that gets
none says that the service "does not have any supported versions", whatever the answer was. Were these refused
like the call itself, the user would never see why. So a cloud of the plan answers them, and the call gets
the refusal that explains.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One, members
from oidproxy.routing.paths import segments
from oidproxy.routing.plans import plan_of
from oidproxy.scope.canonical import canonical_expr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oidproxy.clouds.registry import Registry
    from oidproxy.routing.decision import Snapshot
    from oidproxy.scope.tree import Expr

_VERSION = re.compile(rb"v[0-9]+(?:\.[0-9]+)?")


def are_asked(method: str, rest: bytes) -> bool:
    """Whether this is a GET of a service's root, or of one version's: `/`, `/v2`, `/v2.1/`."""
    if method != "GET":
        return False
    match segments(rest):
        case ():
            return True
        case (one,):
            return _VERSION.fullmatch(one) is not None
        case _:
            return False


def answering(expr: Expr, service_type: str, home: str, snapshot: Snapshot) -> One:
    """The cloud that answers them: the plan's first that has the service and admits the home's users.

    Where none does it is the plan's first. Raises ScopeError.
    """
    key = ("versions", expr, service_type, home)
    found: One | None = snapshot.memory.get(key)
    if found is None:
        ones = members(plan_of(expr, service_type, home, snapshot))
        found = next(_able(ones, service_type, home, snapshot.registry), ones[0])
        snapshot.memory.put(key, found, len(canonical_expr(expr)))
    return found


def _able(ones: Iterable[One], service_type: str, home: str, registry: Registry) -> Iterator[One]:
    return (
        one
        for one in ones
        if (one.cloud == home or home in registry.clouds[one.cloud].admits)
        and registry.endpoint(one.cloud, service_type, one.region) is not None
    )
