"""From a request and a snapshot to a decision: the one entrance to routing. Pure, and it never raises.

Theory of operation. `inbound.read` says what the path stands for and which scopes header and URL carry. Our
own pages are answered here. A call to Keystone is looked at closer (`identity_calls`), since tokens are made,
shown and ended there: it goes to one cloud, a token's home. Every other call goes to the cloud that the
highest carrier names (`carriers`, `completion`), or at once where a call like it went before (`known`).
Whatever does not fit raises an error of the one tree, which becomes a refusal here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import OidproxyError, ScopeError, TokenRefused
from oidproxy.routing import forwarding, inbound, issuing, keystones, known, own_pages, validating
from oidproxy.routing.authorities import facade
from oidproxy.routing.carriers import IDENTITY
from oidproxy.routing.decision import Arrival, Decision, FanOut, Forward, Refuse, Snapshot
from oidproxy.routing.identity_calls import ISSUING, IdentityCall, identity_call
from oidproxy.routing.plans import Several, meant
from oidproxy.scope.report import render

if TYPE_CHECKING:
    from oidproxy.http.head import RequestHead
    from oidproxy.routing.inbound import Inbound


def decide(head: RequestHead, arrival: Arrival, snapshot: Snapshot, now: float) -> Decision:
    """What to do with a request; `ReadBody` where its body decides. `now` is in seconds since the epoch."""
    return _decide(head, None, arrival, snapshot, now)


def decide_body(head: RequestHead, body: bytes, arrival: Arrival, snapshot: Snapshot, now: float) -> Decision:
    """The same with the whole body; never `ReadBody`."""
    return _decide(head, body, arrival, snapshot, now)


def decide_place(asked: Inbound, body: bytes | None = None) -> Decision:
    """The same for a request whose path and scopes were read."""
    try:
        return _at(asked, body)
    except OidproxyError as error:
        return _refusal(error, asked.head, asked.arrival)


def _decide(
    head: RequestHead, body: bytes | None, arrival: Arrival, snapshot: Snapshot, now: float
) -> Decision:
    try:
        if own_pages.ends_here(head):
            return own_pages.options(head, arrival)
        if body is not None:
            return _at(inbound.read(head, arrival, snapshot, now), body)
        return known.again(head, arrival, snapshot) or _afresh(head, arrival, snapshot, now)
    except OidproxyError as error:
        return _refusal(error, head, arrival)


def _afresh(head: RequestHead, arrival: Arrival, snapshot: Snapshot, now: float) -> Decision:
    decision = _at(inbound.read(head, arrival, snapshot, now), None)
    if isinstance(decision, FanOut) or (
        isinstance(decision, Forward) and not one_of_several(decision, snapshot)
    ):
        known.keep(decision, head, arrival, snapshot)
    return decision


def one_of_several(decision: Forward, snapshot: Snapshot) -> bool:
    """Whether other calls of this scope and service go to further clouds: this one stands for none."""
    route = decision.route
    if route.expr is None:
        return False
    return isinstance(meant(route.expr, route.service_type, route.home, snapshot), Several)


def _at(asked: Inbound, body: bytes | None) -> Decision:
    if asked.place.page is not None:
        return own_pages.answer(asked, asked.place.page)
    if asked.place.service_type == IDENTITY:
        return _identity(asked, body)
    return forwarding.forward(asked, body)


def _identity(asked: Inbound, body: bytes | None) -> Decision:
    call = identity_call(asked.head.method, asked.place.rest)
    if call in ISSUING:
        return issuing.before_body(asked, call) if body is None else issuing.issue(asked, call, body)
    if call is IdentityCall.VALIDATE:
        return validating.validate(asked)
    if call is IdentityCall.REVOKE:
        return validating.revoke(asked)
    return keystones.call(asked)


def _refusal(error: OidproxyError, head: RequestHead, arrival: Arrival) -> Refuse:
    if isinstance(error, ScopeError):
        return Refuse(ScopeError(render(error)))
    if isinstance(error, TokenRefused) and not error.fields:
        # RFC 9110 section 15.5.2 wants a challenge; this is the one that keystonemiddleware sends.
        uri = facade(head, arrival).base(IDENTITY)
        return Refuse(TokenRefused(error.message, fields={"WWW-Authenticate": f'Keystone uri="{uri}"'}))
    return Refuse(error)
