"""What a request's way says of it in a trace: which service, by which scope, which clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from oidproxy.manyclouds.record import name_of
from oidproxy.scope.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.clouds.plan import One
    from oidproxy.manyclouds.record import Record
    from oidproxy.routing.decision import Route

EVERYWHERE = "*"
"""The cloud of what several served, as in the log (`several.EVERYWHERE`)."""


class Told(TypedDict, total=False):
    """Fields of `Line`."""

    service: str
    scope: str
    carrier: str
    home: str
    cloud: str
    clouds: list[str]
    asked: list[str]


def of_route(route: Route | None, chosen: Sequence[One] = (), record: Record | None = None) -> Told:
    """`chosen` are the clouds of a request of several, `record` is what became of them."""
    if route is None:
        return {}
    told = Told(
        service=route.service_type,
        scope=canonical(route.effective),
        carrier=route.carrier.value,
        home=route.home,
        cloud=route.cloud,
        clouds=[route.cloud],
        asked=[route.cloud],
    )
    if chosen:
        told["clouds"] = list(dict.fromkeys(one.cloud for one in chosen))
        told["asked"] = _asked(route, chosen, record)
    return told


def _asked(route: Route, chosen: Sequence[One], record: Record | None) -> list[str]:
    """Those that were; of `a | b` in the order in which they were."""
    names = {name_of(one): one.cloud for one in chosen}
    told = [*record.failed, *record.ok] if record is not None else []
    asked = list(dict.fromkeys(names[name] for name in told if name in names))
    if route.cloud != EVERYWHERE and route.cloud not in asked:
        asked.append(route.cloud)
    return asked
