"""Which header fields are special, and why: sets of lower-case names, and the names that Connection lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.http.head import Field

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Meant for one connection only; never forwarded, in either direction (RFC 9110 section 7.6.1)."""

SCOPE_PREFIXES = (b"x-scope", b"x-oidproxy")
"""Our own fields: they steer this proxy, and no cloud and no client may see or forge them."""

FORWARDED_PREFIXES = (b"x-forwarded-", b"forwarded")
"""What earlier proxies say of the client; dropped, since OpenStack's services build their links from it."""

SECRET_FIELDS = frozenset(
    {
        b"authorization",
        b"cookie",
        b"proxy-authorization",
        b"set-cookie",
        b"x-account-meta-temp-url-key",
        b"x-account-meta-temp-url-key-2",
        b"x-auth-key",
        b"x-auth-token",
        b"x-container-meta-temp-url-key",
        b"x-container-meta-temp-url-key-2",
        b"x-container-sync-key",
        b"x-scope-tokens",
        b"x-service-token",
        b"x-storage-token",
        b"x-subject-token",
    }
)
"""Their values are shown as digests only, wherever they are shown."""

# keystonemiddleware writes what it learned of a token into the request's fields (auth_token/_request.py). A
# service behind it believes them, and one whose pipeline lacks it would believe a client's: so none may come
# from a client.
_OF_A_TOKEN = (
    b"domain-id",
    b"domain-name",
    b"identity-status",
    b"project-domain-id",
    b"project-domain-name",
    b"project-id",
    b"project-name",
    b"roles",
    b"user-domain-id",
    b"user-domain-name",
    b"user-id",
    b"user-name",
    # Older spellings that the middleware still writes.
    b"role",
    b"tenant",
    b"tenant-id",
    b"tenant-name",
    b"user",
)

KEYSTONE_FIELDS = frozenset(
    [b"x-" + name for name in _OF_A_TOKEN]
    + [b"x-service-" + name for name in _OF_A_TOKEN]
    + [b"x-service-catalog", b"x-is-admin-project", b"openstack-system-scope"]
)
"""What keystonemiddleware sets for the user's token and, as X-Service-*, for the service's."""

SINGLE_FIELDS = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"transfer-encoding",
        b"x-auth-token",
        b"x-scope",
        b"x-scope-tokens",
        b"x-service-token",
        b"x-storage-token",
        b"x-subject-token",
    }
)
"""Twice in one request, two programs could each believe another one of them."""

END_TO_END = (
    SECRET_FIELDS - {b"proxy-authorization"}
    | KEYSTONE_FIELDS
    | {
        b"content-length",
        b"content-type",
        b"forwarded",
        b"host",
        b"openstack-identity-access-rules",
        b"via",
        b"x-forwarded-for",
        b"x-openstack-request-id",
    }
)
"""Fields that decide who may do what: a client that lists one in Connection wants it lost on the way."""

_OPTIONS = frozenset({b"close", b"keep-alive"})


def connection_named(fields: Iterable[Field]) -> frozenset[bytes]:
    """Lower-case names of the fields that Connection lists, which go no further than this connection."""
    return connection_tokens(fields) - _OPTIONS


def connection_tokens(fields: Iterable[Field]) -> frozenset[bytes]:
    """Everything that Connection lists, in lower case."""
    return frozenset(
        token.strip(b" \t")
        for name, value in fields
        if name.lower() == b"connection"
        for token in value.lower().split(b",")
    ) - {b""}


def steers_scope(name: bytes) -> bool:
    """Whether this lower-case name is one of our own fields."""
    return name.startswith(SCOPE_PREFIXES)
