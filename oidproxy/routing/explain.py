"""What serving would do with a request, and why, as JSON: the same decisions, told instead of carried out.

The value of `explain`, whose names and meanings stay (`null` where there is nothing to say):

    {"scope": "image:cloud-2",       canonical text of header over URL over token; empty for none
     "home": "cloud-1",              the token's home, or the cloud that stands for it
     "services": [                   a row per service, or one for the request in question
       {"service": "image",          official type
        "carrier": "header",         header, url, token, listener, config, compute, home or local
        "expression": "cloud-2",     what the carrier binds the service to
        "plan": "cloud-2",           what that means here: also `all of a, b`, `first of a, b`, `2 of a, b, c`
        "clouds": ["cloud-2"],       the clouds of the plan, doubles once
        "cloud": "cloud-2",          the one that would be called; null where several would be
        "region": "RegionOne",
        "endpoint": "http://…",      its address there; for operators only
        "token": "closed",           none, bare, sealed or closed: the form in which the token would go there
        "admitted": true,            whether that cloud admits users of the home at all
        "status": null,              with a refusal: its HTTP status …
        "error": null,               … and what it says
        "left_out": null,            of several clouds, those that would not be asked: {"cloud-3": why, …}
       "round_trips_us": null}],    where the expression goes by them: {"cloud-2": microseconds from home, …}
     "request":                      only for one request:
       {"method": "GET",
        "path": "/image/v2/images",  as it was asked, without query
        "decision": "forward",       forward, issue, validate, revoke, answer, refuse, read-body or fan-out
        "target": "/v2/images",      what would be sent to the cloud
        "status": null,              with a refusal: its HTTP status …
        "error": null}}              … and what it says, also where no service is concerned
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidproxy.clouds.plan import One, Plan, members
from oidproxy.errors import OidproxyError, ScopeError
from oidproxy.routing import inbound
from oidproxy.routing.carriers import IDENTITY, Bound, Carriers
from oidproxy.routing.completion import complete
from oidproxy.routing.credentials import auth_token
from oidproxy.routing.decide import decide, decide_body, decide_place
from oidproxy.routing.decision import (
    Arrival,
    Decision,
    FanOut,
    Forward,
    Issue,
    ReadBody,
    Refuse,
    Revoke,
    Route,
    Snapshot,
    Validate,
    Ways,
)
from oidproxy.routing.fanning import check_several
from oidproxy.routing.forwarding import effective_scope
from oidproxy.routing.paths import Place
from oidproxy.routing.plans import Several, meant, plan_of
from oidproxy.routing.why import sent_as, written_plan
from oidproxy.scope.canonical import canonical, canonical_expr
from oidproxy.scope.report import render
from oidproxy.scope.tree import AllOf, AnyOf, Around, Cross, FirstOf, Nearest, Not

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.http.head import RequestHead
    from oidproxy.routing.inbound import Inbound
    from oidproxy.scope.tree import Expr
    from oidproxy.tokens.presented import Presented

Row = dict[str, Any]

_NAMES = {ReadBody: "read-body", FanOut: "fan-out"}


def explain(
    head: RequestHead,
    arrival: Arrival,
    snapshot: Snapshot,
    now: float,
    *,
    every_service: bool = False,
    operator: bool = False,
) -> dict[str, Any]:
    """What would be done with this request; or, for `every_service`, with calls to each service.

    Without `operator` it shows what a user may know: the home and the clouds that admit it, and no addresses.

    Raises:
        OidproxyError: a scope or the token cannot be read, so that there is nothing to explain.
    """
    try:
        return _explained(head, arrival, snapshot, now, every_service=every_service, operator=operator)
    except ScopeError as error:
        raise ScopeError(render(error)) from None


def _explained(
    head: RequestHead,
    arrival: Arrival,
    snapshot: Snapshot,
    now: float,
    *,
    every_service: bool,
    operator: bool,
) -> dict[str, Any]:
    asked = inbound.at_place(head, arrival, snapshot, now, Place(None, "", b"/"))
    token = auth_token(head, snapshot, asked.local)
    telling = _Telling(asked, token, operator=operator)
    told: dict[str, Any] = {
        "scope": canonical(effective_scope(token, asked)),
        "home": asked.local if token is None else token.home,
    }
    if every_service:
        return told | {
            "services": [telling.service(name) for name in sorted(snapshot.registry.service_types)]
        }
    decision = _decided(head, arrival, snapshot, now)
    return told | {"services": telling.request(decision), "request": _request(head, decision)}


class _Telling:
    """What one asker may be told."""

    def __init__(self, asked: Inbound, token: Presented | None, *, operator: bool) -> None:
        self.asked = asked
        self.token = token
        self.carriers: Carriers = asked.carriers(token)
        self.operator = operator

    def service(self, service_type: str) -> Row:
        """The calls to a service."""
        asked = self.asked
        at = inbound.at_place(
            asked.head, asked.arrival, asked.snapshot, asked.now, Place(None, service_type, b"/")
        )
        decision = decide_place(at, b"")
        route = _route(decision)
        if route is None or route.expr is None or service_type == IDENTITY:
            return self._row(service_type, decision)
        # The root is a version document, which one of several clouds answers; calls behind it go to all.
        found = meant(route.expr, service_type, self.carriers.home, asked.snapshot)
        if isinstance(found, One):
            return self._row(service_type, decision)
        bound = Bound(route.expr, route.carrier)
        return self._bound(service_type, bound) | self._of_several(at, found, bound)

    def _of_several(self, at: Inbound, found: Several, bound: Bound) -> Row:
        """What is wrong with the calls to these clouds, if anything is."""
        try:
            ways = check_several(at, found, bound, self.carriers.home, has_token=self.token is not None)
        except OidproxyError as error:
            return _refusal(Refuse(error))
        return {"left_out": self._left_out(ways)}

    def _left_out(self, ways: Ways) -> dict[str, str]:
        """The clouds of a plan that would not be asked, and why."""
        return {
            written_plan(absent.one): absent.error.message
            for absent in ways.absent
            if self._may_see(absent.one.cloud)
        }

    def request(self, decision: Decision) -> list[Row]:
        """The service of one request; none where it is answered here."""
        route = _route(decision)
        if route is not None:
            return [self._row(route.service_type, decision)]
        if not isinstance(decision, Refuse):
            return []
        try:
            asked = inbound.read(self.asked.head, self.asked.arrival, self.asked.snapshot, self.asked.now)
        except OidproxyError:
            return []
        return [self._row(asked.place.service_type, decision)] if asked.place.service_type else []

    def _row(self, service_type: str, decision: Decision) -> Row:
        route = _route(decision)
        bound = complete(self.carriers, service_type) if route is None else Bound(route.expr, route.carrier)
        return self._bound(service_type, bound) | self._called(decision, route) | _refusal(decision)

    def _bound(self, service_type: str, bound: Bound) -> Row:
        plan = self._plan(service_type, bound)
        return {
            "service": service_type,
            "carrier": bound.carrier.value,
            "expression": None if bound.expr is None else canonical_expr(bound.expr),
            "plan": None if plan is None else self._written(plan),
            "clouds": [] if plan is None else self._shown(one.cloud for one in members(plan)),
            "cloud": None,
            "region": None,
            "endpoint": None,
            "token": None,
            "admitted": None,
            "status": None,
            "error": None,
            "left_out": None,
            "round_trips_us": self._round_trips(bound, plan),
        }

    def _round_trips(self, bound: Bound, plan: Plan | None) -> dict[str, int] | None:
        """How far the clouds of a plan are from home, if that is what the plan goes by."""
        if plan is None or bound.expr is None or not _goes_by_distance(bound.expr):
            return None
        away = self.asked.registry.round_trip_us
        return {one: away(self.carriers.home, one) for one in self._shown(m.cloud for m in members(plan))}

    def _plan(self, service_type: str, bound: Bound) -> Plan | None:
        if bound.expr is None:
            return One(self.carriers.home)
        try:
            return plan_of(bound.expr, service_type, self.carriers.home, self.asked.snapshot)
        except OidproxyError:
            return None  # the decision is a refusal that says why

    def _called(self, decision: Decision, route: Route | None) -> Row:
        if isinstance(decision, FanOut):
            return {"left_out": self._left_out(decision.ways)}
        if route is None or not self._may_see(route.cloud):
            return {}
        called = {
            "cloud": route.cloud,
            "region": route.endpoint.region,
            "token": sent_as(
                _token(decision), route, direct=isinstance(decision, Forward) and decision.direct
            ),
            "admitted": self._admits(route.cloud),
        }
        return called | {"endpoint": route.endpoint.base} if self.operator else called

    def _written(self, plan: Plan) -> str | None:
        hidden = not all(self._may_see(one.cloud) for one in members(plan))
        return None if hidden else written_plan(plan)

    def _shown(self, clouds: Iterable[str]) -> list[str]:
        return [cloud for cloud in dict.fromkeys(clouds) if self._may_see(cloud)]

    def _may_see(self, cloud: str) -> bool:
        return self.operator or self._admits(cloud)

    def _admits(self, cloud: str) -> bool:
        home = self.carriers.home
        return cloud == home or home in self.asked.registry.clouds[cloud].admits


def _goes_by_distance(expr: Expr) -> bool:
    match expr:
        case Around() | Nearest():
            return True
        case AllOf(operands) | FirstOf(operands) | Cross(operands):
            return any(map(_goes_by_distance, operands))
        case Not(of=inner) | AnyOf(of=inner):
            return _goes_by_distance(inner)
        case _:
            return False


def _decided(head: RequestHead, arrival: Arrival, snapshot: Snapshot, now: float) -> Decision:
    decision = decide(head, arrival, snapshot, now)
    if isinstance(decision, ReadBody):
        # Nobody shows credentials for an explanation: told is what holds for a password.
        return decide_body(head, b"", arrival, snapshot, now)
    return decision


def _route(decision: Decision) -> Route | None:
    match decision:
        case Forward() | Issue() | Validate() | Revoke() | FanOut():
            return decision.route
        case _:
            return None


def _token(decision: Decision) -> Presented | None:
    match decision:
        case Forward() | Issue() | Revoke() | FanOut():
            return decision.token
        case Validate():
            return decision.asker
        case _:
            return None


def _request(head: RequestHead, decision: Decision) -> dict[str, Any]:
    route = _route(decision)
    return {
        "method": head.method,
        "path": head.path.decode("latin-1"),
        "decision": _NAMES.get(type(decision), type(decision).__name__.lower()),
        "target": None if route is None else route.target.decode("latin-1"),
        "status": None,
        "error": None,
    } | _refusal(decision)


def _refusal(decision: Decision) -> Row:
    if not isinstance(decision, Refuse):
        return {}
    return {"status": decision.error.status, "error": decision.error.message}
