"""Which of Keystone's calls a method and a path are, where the proxy treats them apart (Identity API v3)."""

from __future__ import annotations

from enum import Enum, auto

from oidproxy.routing.paths import segments


class IdentityCall(Enum):
    """What a call to a Keystone does."""

    TOKENS = auto()
    """`POST /v3/auth/tokens`: credentials, or a token, for a token."""
    ASSERTION = auto()
    """OS-FEDERATION's saml2: a token in the body, for an assertion that another Keystone believes."""
    EC2 = auto()
    """`POST /v3/ec2tokens`: a signature for a token. (s3tokens answers without a token.)"""
    FEDERATED = auto()
    """OS-FEDERATION's auth: whatever the identity provider made, for an unscoped token."""
    VALIDATE = auto()
    REVOKE = auto()
    OTHER = auto()


ISSUING = frozenset({IdentityCall.TOKENS, IdentityCall.ASSERTION, IdentityCall.EC2, IdentityCall.FEDERATED})
"""Their answers may hold a new token, or their bodies one that Keystone has to get bare."""

_TOKENS = {
    "POST": IdentityCall.TOKENS,
    "GET": IdentityCall.VALIDATE,
    "HEAD": IdentityCall.VALIDATE,
    "DELETE": IdentityCall.REVOKE,
}


def identity_call(method: str, rest: bytes) -> IdentityCall:
    """What this call does; `rest` is the path below Keystone's root."""
    match segments(rest):
        case (b"v3", b"auth", b"tokens"):
            return _TOKENS.get(method, IdentityCall.OTHER)
        case (b"v3", b"auth", b"OS-FEDERATION", b"saml2") | (
            b"v3",
            b"auth",
            b"OS-FEDERATION",
            b"saml2",
            b"ecp",
        ):
            return _on_post(method, IdentityCall.ASSERTION)
        case (b"v3", b"ec2tokens"):
            return _on_post(method, IdentityCall.EC2)
        case (b"v3", b"OS-FEDERATION", b"identity_providers", _, b"protocols", _, b"auth"):
            # GET as well, and HEAD, which Flask answers by the same code: browsers log in by redirects.
            return IdentityCall.FEDERATED if method in {"GET", "HEAD", "POST"} else IdentityCall.OTHER
        case _:
            return IdentityCall.OTHER


def _on_post(method: str, call: IdentityCall) -> IdentityCall:
    return call if method == "POST" else IdentityCall.OTHER
