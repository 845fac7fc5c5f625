"""What a closed token may do when a foreign cloud hands it back (identity.md: Two forms of a token)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One, members
from oidproxy.errors import NotAdmitted, TokenRefused
from oidproxy.routing.completion import complete
from oidproxy.routing.plans import plan_of
from oidproxy.scope.tree import EVERY_SERVICE
from oidproxy.tokens.audience import may_call
from oidproxy.tokens.presented import Box, Form, Presented, Use

if TYPE_CHECKING:
    from oidproxy.routing.carriers import Carriers
    from oidproxy.routing.inbound import Inbound


def box_of(token: Presented | None) -> Box | None:
    """The box, where this token is closed."""
    return token.box if token is not None and token.form is Form.CLOSED else None


def check_handed_back(box: Box, inbound: Inbound) -> None:
    """A box acts for nobody but its audience, while its token lives.

    Raises:
        TokenRefused: at another cloud's address, for validation only, or expired.
    """
    if inbound.arrival.listener.cloud != box.cloud:
        raise TokenRefused(
            "This token was closed for another cloud than the one that this address belongs to."
        )
    if box.use is not Use.CALL:
        raise TokenRefused("This token may be validated only.")
    if box.expires < inbound.now:
        raise TokenRefused("The token has expired.")


def check_call(box: Box, inbound: Inbound) -> None:
    """Only the calls that the audience's service is known to make pass.

    Raises:
        TokenRefused: as `check_handed_back`.
        NotAdmitted: the service does not make this call with its users' tokens.
    """
    check_handed_back(box, inbound)
    place, head = inbound.place, inbound.head
    further = inbound.registry.foreign_calls
    if not may_call(
        box.service, place.service_type, head.method, place.rest, options=further, query=head.query
    ):
        raise NotAdmitted(
            f"{box.service} of {box.cloud} may not make this call to {place.service_type} with the token of "
            "another cloud's user."
        )


def check_narrows(token: Presented, inbound: Inbound) -> None:
    """Header and URL may repeat or narrow what the token's own scope resolves to.

    That holds for every service that they bind, not only for the one that is called.

    Raises:
        ScopeError: an expression means nothing here.
        NotAdmitted: they name a cloud that the token's scope does not.
    """
    explicit = inbound.explicit
    if not explicit.bindings:
        return
    said, own = inbound.carriers(token), inbound.carriers(token, explicit=False)
    named = {binding.service for binding in explicit.bindings} - {EVERY_SERVICE}
    for service_type in inbound.registry.service_types | named:
        if explicit.binding(service_type) is not None:
            _check_within(
                service_type, _clouds(said, service_type, inbound), _clouds(own, service_type, inbound)
            )


def _check_within(service_type: str, said: tuple[One, ...], own: tuple[One, ...]) -> None:
    if any(one not in own and One(one.cloud) not in own for one in said):
        raise NotAdmitted(
            "A token that comes back from another cloud cannot be widened: its own scope does not bind "
            f"{service_type} so."
        )


def _clouds(carriers: Carriers, service_type: str, inbound: Inbound) -> tuple[One, ...]:
    bound = complete(carriers, service_type)
    if bound.expr is None:
        return (One(carriers.home),)
    return members(plan_of(bound.expr, service_type, carriers.home, inbound.snapshot))


def refuse_at_identity(token: Presented | None, inbound: Inbound) -> None:
    """No call to a Keystone takes a box but the two that `validating` and `issuing` know (identity.md).

    Raises:
        TokenRefused: as `check_handed_back`.
        NotAdmitted: it is closed.
    """
    box = box_of(token)
    if box is not None:
        check_handed_back(box, inbound)
        raise NotAdmitted(
            "A token of another cloud's user may be validated or renewed here, and nothing else."
        )
