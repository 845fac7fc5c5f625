"""Which tokens a request presents, opened: X-Auth-Token, X-Service-Token and the subject of a validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest, TokenNotFound, TokenRefused
from oidproxy.tokens.opening import present
from oidproxy.tokens.presented import Form, Presented

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry
    from oidproxy.http.head import RequestHead
    from oidproxy.routing.decision import Snapshot

UNKNOWN_HOME = "The token names a home that this proxy does not know: authenticate again."


def auth_text(head: RequestHead) -> str | None:
    """The text of X-Auth-Token. X-Storage-Token is its older name, which keystonemiddleware still reads.

    Raises:
        BadRequest: both are given and differ: services do not agree which one counts.
    """
    text, older = head.text(b"x-auth-token") or None, head.text(b"x-storage-token") or None
    if older is None or older == text:
        return text
    if text is not None:
        raise BadRequest("X-Auth-Token and X-Storage-Token differ: send one of them.")
    return older


def opened(text: str, snapshot: Snapshot, default_home: str) -> Presented:
    """The token in this text, whose home is one of ours.

    Raises:
        TokenRefused: it is malformed, or its home is unknown.
    """
    token = present(text, snapshot.keyring, default_home=default_home)
    _check_home(token, snapshot.registry)
    return token


def auth_token(head: RequestHead, snapshot: Snapshot, default_home: str) -> Presented | None:
    """Who sends the request, as far as it says so. Raises TokenRefused, BadRequest."""
    text = auth_text(head)
    return None if text is None else opened(text, snapshot, default_home)


def service_token(head: RequestHead, snapshot: Snapshot, default_home: str) -> Presented | None:
    """The service that calls for its user.

    A closed one is refused whatever its use: the foreign cloud may validate it and nothing else (identity.md,
    Two forms). Opened here, it would give that cloud the powers of the home's services, which nobody granted.

    Raises:
        TokenRefused: it is closed or malformed, or its home is unknown.
    """
    text = head.text(b"x-service-token")
    if not text:
        return None
    token = opened(text, snapshot, default_home)
    if token.form is Form.CLOSED:
        raise TokenRefused("X-Service-Token holds a token that another cloud may validate only.")
    return token


def subject_token(head: RequestHead, snapshot: Snapshot, default_home: str) -> Presented | None:
    """The token that a validation or revocation is about.

    Raises:
        TokenNotFound: no cloud of ours knows it. Not a 401: that would tell keystonemiddleware that its *own*
            token is bad, and it would authenticate again four times (identity.md, Validation at home).
    """
    text = head.text(b"x-subject-token")
    if not text:
        return None
    try:
        return opened(text, snapshot, default_home)
    except TokenRefused:
        raise TokenNotFound("The subject token is not known here.") from None


def _check_home(token: Presented, registry: Registry) -> None:
    if token.home not in registry.clouds:
        raise TokenRefused(UNKNOWN_HOME)
