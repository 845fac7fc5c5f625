"""Calls that make a Keystone issue a token: where they go, and what the new token is bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest, BodyTooLarge
from oidproxy.http.head import Length, NoBody
from oidproxy.routing import auth_body
from oidproxy.routing.auth_body import AuthBody
from oidproxy.routing.boxes import box_of, check_handed_back, check_narrows, refuse_at_identity
from oidproxy.routing.credentials import auth_text, auth_token, opened
from oidproxy.routing.decision import Issue, ReadBody
from oidproxy.routing.forwarding import require_scope
from oidproxy.routing.identity_calls import IdentityCall
from oidproxy.routing.keystones import home_of, keystone
from oidproxy.routing.routes import route
from oidproxy.routing.scopes import merged, tag_of
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.reauthentication import check

if TYPE_CHECKING:
    from oidproxy.routing.inbound import Inbound
    from oidproxy.tokens.presented import Presented


def before_body(inbound: Inbound, call: IdentityCall) -> Issue | ReadBody:
    """What the head alone decides: usually that the body has to be read.

    Raises:
        BodyTooLarge: it is longer than may be held.
    """
    framing, limit = inbound.head.framing, inbound.registry.limits.request_body
    if isinstance(framing, NoBody):
        return issue(inbound, call, b"")
    if isinstance(framing, Length) and framing.size > limit:
        raise BodyTooLarge(f"The body of an authentication may hold at most {limit} bytes.")
    return ReadBody(limit)


def issue(inbound: Inbound, call: IdentityCall, raw: bytes) -> Issue:
    """A call for a token. Raises what `decide_body` turns into a refusal."""
    # What an identity provider sends to FEDERATED is a form or nothing: not ours to read.
    body = AuthBody(raw, {}) if call is IdentityCall.FEDERATED else auth_body.read(raw)
    inner = None if body.token is None else opened(body.token, inbound.snapshot, inbound.local)
    if call is IdentityCall.TOKENS and inner is not None and box_of(inner) is not None:
        return _renewal(inbound, body, inner)
    refuse_at_identity(inner, inbound)
    asker = auth_token(inbound.head, inbound.snapshot, inbound.local)
    refuse_at_identity(asker, inbound)
    return _issue(inbound, body, inner, asker)


def _issue(inbound: Inbound, body: AuthBody, inner: Presented | None, asker: Presented | None) -> Issue:
    one, bound_by = keystone(inner or asker, inbound)
    if inner is not None and asker is not None and asker.home != inner.home:
        # One of the two would be shown to a Keystone that did not issue it.
        raise BadRequest("X-Auth-Token and the token in the body were issued by different clouds.")
    bound = merged(inbound.explicit, NO_SCOPE if inner is None else inner.scope, inbound.snapshot)
    if not bound.bindings:
        require_scope(inbound)
    way = route(inbound, one, bound_by, one.cloud, effective=bound, facade=inbound.facade(tag_of(bound)))
    sent = body.raw if inner is None else body.with_token(inner.token)
    return Issue(way, asker, bound, sent, scoped=bool(bound.bindings))


def _renewal(inbound: Inbound, body: AuthBody, inner: Presented) -> Issue:
    """A service abroad renews its user's token, for the same audience (identity.md: Re-authentication)."""
    box = box_of(inner)
    if box is None:  # pragma: no cover - the caller has looked
        raise BadRequest("This is no closed token.")
    check_handed_back(box, inbound)
    project_id = check(body.document, inner.text, auth_text(inbound.head))
    check_narrows(inner, inbound)
    one, bound_by = home_of(inner)
    way = route(inbound, one, bound_by, inner.home, effective=inner.scope, facade=inbound.facade(""))
    return Issue(
        way, inner, inner.scope, body.as_read(inner.token), reauthenticates=inner, project_id=project_id
    )
