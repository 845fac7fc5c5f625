"""Which Keystone answers a call to identity: always exactly one (scope-language: Where a scope travels)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One
from oidproxy.routing.boxes import refuse_at_identity
from oidproxy.routing.carriers import IDENTITY, Bound
from oidproxy.routing.completion import complete
from oidproxy.routing.credentials import auth_token, service_token
from oidproxy.routing.decision import Carrier, Forward
from oidproxy.routing.forwarding import check_home, check_scoped, effective_scope
from oidproxy.routing.plans import first_named, member
from oidproxy.routing.routes import route

if TYPE_CHECKING:
    from oidproxy.routing.inbound import Inbound
    from oidproxy.tokens.presented import Presented


def keystone(token: Presented | None, inbound: Inbound) -> tuple[One, Bound]:
    """The Keystone for a call that presents this token, and what bound the call to it.

    A token goes to its home and nowhere else. Without one, the first cloud that the expression names.

    Raises:
        TokenRefused: header or URL bind identity to clouds without the token's home.
        ScopeError, BadRequest, NotSupported: the scope names no one cloud for identity.
    """
    carriers = inbound.carriers(token)
    bound = complete(carriers, IDENTITY)
    if token is not None:
        check_home(token, inbound)
        return _home(token, bound, inbound), bound
    if bound.expr is None:
        return One(carriers.home), bound
    preferred = (inbound.local, inbound.registry.local)
    return first_named(bound.expr, preferred, carriers.home, inbound.snapshot), bound


def home_of(token: Presented) -> tuple[One, Bound]:
    """The Keystone of a token's home, whatever the carriers say."""
    return One(token.home), Bound(None, Carrier.TOKEN)


def _home(token: Presented, bound: Bound, inbound: Inbound) -> One:
    if bound.carrier in (Carrier.HEADER, Carrier.URL) and bound.expr is not None:
        return member(bound.expr, token.home, token.home, inbound.snapshot) or One(token.home)
    return One(token.home)


def forward(inbound: Inbound) -> Forward:
    """A call to Keystone that makes and tells of no token: discovery, projects, users …

    Raises what `decide` turns into a refusal.
    """
    token = auth_token(inbound.head, inbound.snapshot, inbound.local)
    service = service_token(inbound.head, inbound.snapshot, inbound.local)
    refuse_at_identity(token, inbound)
    one, bound = keystone(token, inbound)
    effective = effective_scope(token, inbound)
    scoped = check_scoped(token, effective, inbound)
    home = one.cloud if token is None else token.home
    way = route(inbound, one, bound, home, effective=effective)
    return Forward(way, token, _of(service, one.cloud), scoped)


def _of(service: Presented | None, cloud: str) -> Presented | None:
    """A service's token only if this Keystone issued it: it must see none of another cloud."""
    return service if service is not None and service.home == cloud else None
