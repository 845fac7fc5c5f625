"""Requests of several clouds: what they ask for, and the ways to the clouds that can be asked."""

from __future__ import annotations

import json
from copy import copy
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import members
from oidproxy.errors import EndpointsUnknown, NotAdmitted, NotSupported, TokenRefused
from oidproxy.http.head import NoBody
from oidproxy.routing.carried import carried_tokens
from oidproxy.routing.carriers import IDENTITY
from oidproxy.routing.decision import Absent, FanOut, Forward, Kind, Ways
from oidproxy.routing.infrastructure import check_together
from oidproxy.routing.narrowing import narrowing
from oidproxy.routing.plans import WEIGHT_OF_A_CLOUD, Several, of_several
from oidproxy.routing.reading import read_body
from oidproxy.routing.resources import read
from oidproxy.routing.routes import endpoint_of, route
from oidproxy.routing.staged import IMAGE, stage_of_several
from oidproxy.scope.canonical import canonical_expr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.plan import One
    from oidproxy.clouds.registry import Endpoint
    from oidproxy.errors import OidproxyError
    from oidproxy.routing.carriers import Bound, Carriers
    from oidproxy.routing.decision import Asked, ReadBody
    from oidproxy.routing.inbound import Inbound
    from oidproxy.scope.tree import Expr, Scope
    from oidproxy.tokens.presented import Presented

WITH_BODY = frozenset({Kind.CREATE, Kind.CHANGE})
"""What is repeated at several clouds needs its whole body; data are passed on as they come."""


def fan_out(
    inbound: Inbound,
    found: Several,
    bound: Bound,
    carriers: Carriers,
    *,
    effective: Scope,
    tokens: tuple[Presented | None, Presented | None],
    scoped: bool,
    body: bytes | None,
) -> FanOut | ReadBody:
    """What to do with a request of these clouds. `tokens` are X-Auth-Token and X-Service-Token.

    Raises:
        NotSupported: several clouds cannot be asked for this, or none of them has the service.
        NotAdmitted: none of them admits the user.
        TokenRefused: there is no token.
        BadRequest, BodyTooLarge: as for one cloud.
    """
    expr = _expression(bound)
    kind, asked = _kind(inbound, found, expr)
    token, service = tokens
    if token is None:
        # Nobody is told the names of clouds, nor has a thousand of them asked, without saying who he is.
        raise TokenRefused("Several clouds are asked for users only: send a token.")
    ways = ways_of(inbound, found, expr, carriers.home, has_token=True)
    if kind in WITH_BODY:
        check_together(inbound, carriers, *dict.fromkeys(one.cloud for one in members(found.plan)))
    if body is None and kind in WITH_BODY and not isinstance(inbound.head.framing, NoBody):
        return read_body(inbound)
    if kind is Kind.CREATE:
        _check_single(found, expr, inbound, body or b"")
    first = route(inbound, next(iter(ways.places)), bound, carriers.home, effective=effective)
    direct = ways.direct
    abroad = bool(direct - {carriers.home})
    staged = stage_of_several(inbound, first, token, carriers, body) if abroad else None
    return FanOut(
        found.plan,
        kind,
        asked,
        ways,
        Forward(first, token, service, scoped, first.cloud in direct),
        direct,
        carried_tokens(inbound.head, inbound.snapshot) if abroad else _NOTHING,
        staged,
        images_at(inbound, direct) if staged is not None else MappingProxyType({}),
        body,
        narrowing(effective, first.service_type, carriers.home, inbound.snapshot, len(ways.places)),
    )


def collection_of_several(
    inbound: Inbound,
    found: Several,
    bound: Bound,
    home: str,
    *,
    effective: Scope,
    token: Presented | None,
    scoped: bool,
) -> FanOut:
    """A collection of several Keystones.

    The home gets the token that it issued, the others one that it was exchanged for, or that came with the
    request; those for which there is none are left out (scope-language: Meaning, honest unions).

    Raises:
        NotSupported: it is no collection.
        BadRequest, TokenRefused: a token that came for one of the clouds is none.
    """
    expr = _expression(bound)
    kind, asked = _kind(inbound, found, expr)
    ways = ways_of(inbound, found, expr, home, has_token=True)
    first = route(inbound, next(iter(ways.places)), bound, home, effective=effective)
    direct = ways.direct - {home}
    carried = carried_tokens(inbound.head, inbound.snapshot) if direct else _NOTHING
    towards = Forward(first, token, None, scoped, first.cloud in direct, carried.get(first.cloud))
    narrow = narrowing(effective, IDENTITY, home, inbound.snapshot, len(ways.places))
    return FanOut(found.plan, kind, asked, ways, towards, direct, carried, narrowing=narrow)


def check_several(inbound: Inbound, found: Several, bound: Bound, home: str, *, has_token: bool) -> Ways:
    """The ways that calls to these clouds take, if they can be served at all.

    Raises:
        NotSupported, EndpointsUnknown, NotAdmitted: no cloud can be asked; or it is one resource across them.
    """
    expr = _expression(bound)
    if found.crossed:
        raise NotSupported(of_several(found, expr, inbound.place.service_type, ""))
    return ways_of(inbound, found, expr, home, has_token=has_token)


def ways_of(inbound: Inbound, found: Several, expr: Expr, home: str, *, has_token: bool) -> Ways:
    """The clouds of a plan that can be asked.

    Raises:
        NotSupported, EndpointsUnknown, NotAdmitted, TokenRefused: there is none, and why.
    """
    service_type, memory = inbound.place.service_type, inbound.snapshot.memory
    key = ("ways", expr, service_type, home, has_token)
    ways: Ways | None = memory.get(key)
    if ways is None:
        ways = _ways(inbound, members(found.plan), home, has_token=has_token)
        memory.put(key, ways, len(canonical_expr(expr)) + found.count * WEIGHT_OF_A_CLOUD)
    if not ways.places:
        raise _nobody(ways, found, home, service_type)
    return ways


def _nobody(ways: Ways, found: Several, home: str, service_type: str) -> OidproxyError:
    """Why no cloud can be asked, without the names of those that the user need not know of."""
    error = next((one.error for one in ways.absent if not isinstance(one.error, NotAdmitted)), None)
    if error is None:
        return NotAdmitted(
            f"None of the {found.count} clouds that the scope binds {service_type} to admits users of {home}."
        )
    # Raised again and again, the remembered one would gather tracebacks.
    return copy(error)


def _ways(inbound: Inbound, ones: tuple[One, ...], home: str, *, has_token: bool) -> Ways:
    registry, service_type = inbound.registry, inbound.place.service_type
    places: dict[One, Endpoint] = {}
    absent: list[Absent] = []
    for one in ones:
        try:
            if has_token and one.cloud != home:
                _check_admits(inbound, one, home)
            places[one] = endpoint_of(registry, one, service_type)
        except (NotSupported, EndpointsUnknown, NotAdmitted, TokenRefused) as error:
            absent.append(Absent(one, error))
    direct = frozenset(one.cloud for one in places if registry.clouds[one.cloud].direct)
    return Ways(MappingProxyType(places), tuple(absent), direct)


def _check_admits(inbound: Inbound, one: One, home: str) -> None:
    cloud = inbound.registry.clouds[one.cloud]
    if home not in cloud.admits:
        raise NotAdmitted(
            f"{one.cloud} does not admit users of {home}: ask the operator of {one.cloud} to add {home} to "
            "its admits."
        )
    if inbound.place.service_type == IDENTITY and not cloud.direct:
        # A Keystone knows its own tokens only, and its services' tokens are ours: there is nothing to show.
        raise TokenRefused(f"The identity service of {one.cloud} takes its own tokens only.")


def _kind(inbound: Inbound, found: Several, expr: Expr) -> tuple[Kind, Asked]:
    """What is asked for. Raises NotSupported."""
    place, method = inbound.place, inbound.head.method
    asked = None if found.crossed else read(place.service_type, method, place.rest)
    if asked is None:
        why = "which clouds such a call concerns, and what their answers are together, is not known."
        raise NotSupported(of_several(found, expr, place.service_type, why))
    return asked


def _check_single(found: Several, expr: Expr, inbound: Inbound, body: bytes) -> None:
    """Refuse a call that makes several resources at once (Networking API: bulk creation)."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return  # the clouds say better what is wrong with it
    if isinstance(document, dict) and [*map(type, document.values())] == [list]:
        why = "several resources are made there by one call each."
        raise NotSupported(of_several(found, expr, inbound.place.service_type, why))


def images_at(inbound: Inbound, clouds: frozenset[str]) -> Mapping[str, Endpoint]:
    """Where the image services of these clouds are."""
    found = {cloud: inbound.registry.endpoint(cloud, IMAGE) for cloud in clouds}
    return {cloud: endpoint for cloud, endpoint in found.items() if endpoint is not None}


def _expression(bound: Bound) -> Expr:
    if bound.expr is None:  # pragma: no cover - a home is one cloud
        raise NotSupported("Nothing binds this service to several clouds.")
    return bound.expr


_NOTHING: Mapping[str, Presented] = MappingProxyType({})
