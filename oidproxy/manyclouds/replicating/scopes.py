"""Which clouds serve a service under the scope of a request that was made to another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import members
from oidproxy.routing.carriers import Carriers
from oidproxy.routing.completion import complete
from oidproxy.routing.plans import plan_of

if TYPE_CHECKING:
    from oidproxy.routing.decision import Route, Snapshot


def serving(route: Route, service_type: str, snapshot: Snapshot) -> tuple[str, ...]:
    """The clouds, in the plan's order.

    Raises:
        ScopeError: what the scope says of this service means nothing.
    """
    carriers = Carriers(
        home=route.home,
        has_token=True,
        header=route.effective,
        listener=route.facade.listener.scope,
        config=snapshot.registry.scope,
    )
    bound = complete(carriers, service_type)
    if bound.expr is None:
        return (route.home,)
    found = members(plan_of(bound.expr, service_type, route.home, snapshot))
    return tuple(dict.fromkeys(one.cloud for one in found))
