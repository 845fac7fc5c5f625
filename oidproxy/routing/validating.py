"""`/v3/auth/tokens` with a subject: validation and revocation, at the subject's home (identity.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import NotAdmitted, TokenNotFound, TokenRefused
from oidproxy.routing.authorities import WILDCARDS
from oidproxy.routing.boxes import refuse_at_identity
from oidproxy.routing.carriers import IDENTITY
from oidproxy.routing.credentials import auth_token, subject_token
from oidproxy.routing.decision import Facade, Forward, Revoke, Route, Validate
from oidproxy.routing.keystones import forward, home_of
from oidproxy.routing.routes import route
from oidproxy.routing.scopes import merged, tag_of
from oidproxy.tokens.presented import Form, Presented

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Listener
    from oidproxy.routing.inbound import Inbound


def validate(inbound: Inbound) -> Validate | Forward:
    """Somebody asks who a token is. Without a subject it is Keystone's to say what is missing.

    Raises:
        TokenRefused: nobody asks, or somebody who is not of the cloud that this address belongs to.
        NotAdmitted: a foreign cloud asks with its users' token.
        TokenNotFound: the subject is not known here, or was not sent to the cloud that asks.
    """
    asker = _asker(inbound)
    refuse_at_identity(asker, inbound)
    if not inbound.head.get(b"x-subject-token"):
        return forward(inbound)
    cloud = inbound.arrival.listener.cloud or asker.home
    if asker.home != cloud:
        raise TokenRefused(
            "X-Auth-Token was issued by another cloud than the one that this address belongs to."
        )
    subject = _subject(inbound)
    _check_sent_to(subject, cloud, inbound.arrival.listener)
    facade = _facade(inbound, asker, subject, cloud)
    return Validate(_route(inbound, subject, facade), asker, subject, cloud)


def revoke(inbound: Inbound) -> Revoke | Forward:
    """Somebody revokes a token.

    Raises:
        TokenRefused: nobody does.
        NotAdmitted: one of the tokens is closed, or they are of different clouds.
        TokenNotFound: the subject is not known here.
    """
    asker = _asker(inbound)
    refuse_at_identity(asker, inbound)
    if not inbound.head.get(b"x-subject-token"):
        return forward(inbound)
    subject = _subject(inbound)
    if subject.form is Form.CLOSED:
        raise NotAdmitted("A token of another cloud's user cannot be revoked from here.")
    if subject.home != asker.home:
        # X-Auth-Token would be shown to a Keystone that did not issue it.
        raise NotAdmitted("A token is revoked with a token of the cloud that issued it.")
    return Revoke(_route(inbound, subject, inbound.facade(inbound.url.tag)), asker, subject)


def _asker(inbound: Inbound) -> Presented:
    asker = auth_token(inbound.head, inbound.snapshot, inbound.local)
    if asker is None:
        raise TokenRefused("The request you have made requires authentication: X-Auth-Token is missing.")
    return asker


def _subject(inbound: Inbound) -> Presented:
    subject = subject_token(inbound.head, inbound.snapshot, inbound.local)
    if subject is None:
        raise TokenNotFound("X-Subject-Token is empty.")
    return subject


def _check_sent_to(subject: Presented, asking_cloud: str, listener: Listener) -> None:
    """A cloud may ask about its own tokens, and about those of others that this fleet closed for it.

    Whatever else a service shows was not sent to it under a scope that names its cloud. An expired box
    passes: Keystone knows `allow_expired`.
    """
    box = subject.box
    known = subject.home == asking_cloud if box is None else listener.cloud == box.cloud
    if not known:
        raise TokenNotFound("The subject token is not known here.")


def _route(inbound: Inbound, subject: Presented, facade: Facade) -> Route:
    one, bound = home_of(subject)
    return route(inbound, one, bound, subject.home, effective=subject.scope, facade=facade)


def _facade(inbound: Inbound, asker: Presented, subject: Presented, cloud: str) -> Facade:
    """Whose URLs the answer's catalog shows.

    A client that asks about its own token gets the scope it asked under, as when that token was issued. A
    service gets its own cloud's addresses without any scope (identity.md: B's own catalog).
    """
    listener = inbound.arrival.listener
    if listener.cloud is None and asker.token == subject.token:
        return inbound.facade(tag_of(merged(inbound.explicit, subject.scope, inbound.snapshot)))
    if listener.cloud is not None:
        return inbound.facade("")
    return _beside(cloud, inbound) or inbound.facade("")


def _beside(cloud: str, inbound: Inbound) -> Facade | None:
    """The addresses that the services of this cloud reach the proxy at, where it stands beside them too."""
    for listener in inbound.registry.listeners:
        if listener.cloud == cloud and IDENTITY in listener.ports and listener.host not in WILDCARDS:
            return Facade(listener.scheme, listener.host, listener.ports[IDENTITY], listener)
    return None
