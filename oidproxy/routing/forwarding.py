"""Calls to every service but Keystone: where they go, and what the token that goes with them may do there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One
from oidproxy.errors import BadRequest, TokenRefused
from oidproxy.http.head import NoBody
from oidproxy.routing.boxes import box_of, check_call, check_narrows
from oidproxy.routing.carried import carried_token
from oidproxy.routing.carriers import IDENTITY
from oidproxy.routing.completion import complete
from oidproxy.routing.credentials import auth_token, service_token
from oidproxy.routing.decision import Forward
from oidproxy.routing.delegation import check_acts_now
from oidproxy.routing.fanning import fan_out
from oidproxy.routing.infrastructure import check_together
from oidproxy.routing.plans import member
from oidproxy.routing.reading import read_body
from oidproxy.routing.routes import route, serving
from oidproxy.routing.scopes import merged
from oidproxy.routing.staged import stage
from oidproxy.routing.staging import images_named, names_images
from oidproxy.scope.canonical import canonical_expr

if TYPE_CHECKING:
    from oidproxy.routing.carriers import Bound, Carriers
    from oidproxy.routing.decision import FanOut, ReadBody
    from oidproxy.routing.inbound import Inbound
    from oidproxy.scope.tree import Scope
    from oidproxy.tokens.presented import Presented


def forward(inbound: Inbound, body: bytes | None = None) -> Forward | FanOut | ReadBody:
    """A call to a service. Raises what `decide` turns into a refusal."""
    token = auth_token(inbound.head, inbound.snapshot, inbound.local)
    service = service_token(inbound.head, inbound.snapshot, inbound.local)
    check_token(token, inbound)
    effective = effective_scope(token, inbound)
    scoped = check_scoped(token, effective, inbound)
    carriers = inbound.carriers(token)
    bound = complete(carriers, inbound.place.service_type)
    found = serving(inbound, bound, carriers)
    tokens = token, service
    if isinstance(found, One):
        return _to_one(
            inbound, found, bound, carriers, effective=effective, tokens=tokens, scoped=scoped, body=body
        )
    return fan_out(
        inbound, found, bound, carriers, effective=effective, tokens=tokens, scoped=scoped, body=body
    )


def _to_one(
    inbound: Inbound,
    one: One,
    bound: Bound,
    carriers: Carriers,
    *,
    effective: Scope,
    tokens: tuple[Presented | None, Presented | None],
    scoped: bool,
    body: bytes | None,
) -> Forward | ReadBody:
    token, service = tokens
    check_together(inbound, carriers, one.cloud)
    way = route(inbound, one, bound, carriers.home, effective=effective)
    direct = inbound.registry.clouds[one.cloud].direct
    exchanged = direct and token is not None and token.home != one.cloud
    if not exchanged:
        check_acts_now(inbound.place.service_type, one.cloud, token)
    staged = stage(inbound, way, token, carriers) if direct else None
    if body is None and (
        (exchanged and _names_projects(inbound)) or (staged is not None and _names_images(inbound))
    ):
        return read_body(inbound)
    if staged is not None and body is not None and _names_images(inbound):
        staged = replace(staged, images=images_named(way.service_type, way.rest, body))
    carried = carried_token(inbound.head, one.cloud, inbound.snapshot) if exchanged else None
    return Forward(way, token, service, scoped, direct, carried, body, staged)


def _names_images(inbound: Inbound) -> bool:
    """Whether the body may name images."""
    head, place = inbound.head, inbound.place
    return not isinstance(head.framing, NoBody) and names_images(place.service_type, head.method, place.rest)


def _names_projects(inbound: Inbound) -> bool:
    """Whether the request has a document in which the home's project may be named."""
    head = inbound.head
    if isinstance(head.framing, NoBody) or inbound.place.service_type == "object-store":
        return False
    content_type = head.get(b"content-type") or b""
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


def check_token(token: Presented | None, inbound: Inbound) -> None:
    """Whether this token may be used for this call, as far as its form and its home tell.

    Raises:
        TokenRefused: its home is outside the scope, or it was handed to somebody else.
        NotAdmitted: it is closed and does more than its audience may.
    """
    if token is None:
        return
    box = box_of(token)
    if box is None:
        check_home(token, inbound)
    else:
        check_call(box, inbound)
        check_narrows(token, inbound)


def check_home(token: Presented, inbound: Inbound) -> None:
    """The token's home has to be among the clouds that header or URL bind identity to.

    Raises:
        TokenRefused: it is not.
    """
    expr = inbound.explicit.binding(IDENTITY)
    if expr is not None and member(expr, token.home, token.home, inbound.snapshot) is None:
        raise TokenRefused(
            f"The scope binds identity to {canonical_expr(expr)}, and the token was issued by {token.home}: "
            "authenticate again under this scope."
        )


def effective_scope(token: Presented | None, inbound: Inbound) -> Scope:
    """What travels on with the token: header over URL over its own; a closed token keeps its own."""
    if token is None:
        return inbound.explicit
    if box_of(token) is not None:
        return token.scope
    return merged(inbound.explicit, token.scope, inbound.snapshot)


def check_scoped(token: Presented | None, effective: Scope, inbound: Inbound) -> bool:
    """Whether a call with this token carries a scope.

    Raises:
        BadRequest: it does not, the operator requires one, and only users come to this listener.
    """
    if token is None or effective.bindings or box_of(token) is not None:
        return True
    require_scope(inbound)
    return False


def require_scope(inbound: Inbound) -> None:
    """Refuse a call without a scope where `require_scope` is set, on listeners that only users reach.

    Raises:
        BadRequest: with what to do.
    """
    if inbound.registry.require_scope and inbound.arrival.listener.cloud is None:
        raise BadRequest(
            "This proxy serves only calls that carry a scope: give one with --scope, in the header X-Scope, "
            "or in the auth URL as /s/<scope>/identity/v3."
        )
