"""Which Keystone answers a call to identity: one, but for collections that a scope asks of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import Every, One, Some
from oidproxy.routing.boxes import refuse_at_identity
from oidproxy.routing.carriers import IDENTITY, Bound
from oidproxy.routing.completion import complete
from oidproxy.routing.credentials import auth_token, service_token
from oidproxy.routing.decision import Carrier, Forward, Kind
from oidproxy.routing.fanning import collection_of_several
from oidproxy.routing.forwarding import check_home, check_scoped, effective_scope
from oidproxy.routing.plans import Several, first_named, meant, member
from oidproxy.routing.resources import read
from oidproxy.routing.routes import route

if TYPE_CHECKING:
    from oidproxy.routing.decision import FanOut
    from oidproxy.routing.inbound import Inbound
    from oidproxy.tokens.presented import Presented


_EXPLICIT = frozenset({Carrier.HEADER, Carrier.URL})


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


def call(inbound: Inbound) -> Forward | FanOut:
    """The same for any path: a collection may be asked of several Keystones, all else of the home's."""
    found = read(IDENTITY, inbound.head.method, inbound.place.rest)
    token = auth_token(inbound.head, inbound.snapshot, inbound.local)
    if found is None or found[0] is not Kind.COLLECTION or token is None:
        return forward(inbound)
    refuse_at_identity(token, inbound)
    _, bound = keystone(token, inbound)
    several = _several(inbound, bound, token.home)
    if several is None:
        return forward(inbound)
    effective = effective_scope(token, inbound)
    scoped = check_scoped(token, effective, inbound)
    return collection_of_several(
        inbound, several, bound, token.home, effective=effective, token=token, scoped=scoped
    )


def _several(inbound: Inbound, bound: Bound, home: str) -> Several | None:
    """The clouds whose Keystones this call asks, if there are several."""
    if bound.expr is None or bound.carrier not in _EXPLICIT:
        return None
    clouds = meant(bound.expr, IDENTITY, home, inbound.snapshot)
    if isinstance(clouds, Several) and isinstance(clouds.plan, Every | Some) and not clouds.crossed:
        return clouds
    return None


def _of(service: Presented | None, cloud: str) -> Presented | None:
    """A service's token only if this Keystone issued it: it must see none of another cloud."""
    return service if service is not None and service.home == cloud else None
