"""The sealed form, for a token's home and its client: `<token>~<base64url of home and canonical scope>`.

It routes and never authorizes: anybody can write one, so nothing in it may widen what the token may do.
"""

from __future__ import annotations

from functools import lru_cache

from oidproxy.errors import InternalError, ScopeError, TokenRefused
from oidproxy.scope.canonical import bounded_canonical
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE, Scope
from oidproxy.tokens import base64url

MARK = "~"
"""Before the envelope: a token character (RFC 9110 section 5.6.2) that neither Fernet nor JWS tokens have."""

_BETWEEN = "\n"
"""Neither a cloud's name nor a canonical scope holds a control character."""

_ENVELOPE_LIMIT = 3 * 1024
"""Characters; 1 KiB of canonical scope and a cloud's name always fit."""


def seal(token: str, home: str, scope: Scope) -> str:
    """This bare token with its home and the scope that travels with it.

    Raises ScopeError for a scope too long to travel: two carriers' scopes together may be.
    """
    if MARK in token or not token:
        raise InternalError("A token that is no bare token cannot be sealed.")
    return f"{token}{MARK}{_envelope(home, bounded_canonical(scope))}"


def unseal(text: str) -> tuple[str, str, Scope]:
    """The bare token, its home and its scope; TokenRefused for anything that `seal` does not write so."""
    token, mark, envelope = text.partition(MARK)
    if not (token and mark and envelope) or len(envelope) > _ENVELOPE_LIMIT:
        raise TokenRefused("The token is malformed.")
    home, scope = _read(envelope)
    return token, home, scope


def envelopes_read() -> tuple[int, int]:
    """How often the envelope of a token was known already, and how often it had to be read."""
    known = _read.cache_info()
    return known.hits, known.misses


# Both directions are remembered by what carries no token; a fleet sees few scopes and many tokens.


@lru_cache(maxsize=1024)
def _envelope(home: str, scope_text: str) -> str:
    if not home or _BETWEEN in home:
        raise InternalError("A token cannot be sealed for a home without a proper name.")
    return base64url.encode(f"{home}{_BETWEEN}{scope_text}".encode())


@lru_cache(maxsize=1024)
def _read(envelope: str) -> tuple[str, Scope]:
    try:
        home, between, text = base64url.decode(envelope).decode("utf-8").partition(_BETWEEN)
        scope = parse(text) if text else NO_SCOPE
        known = bool(home and between) and home.isprintable() and bounded_canonical(scope) == text
    except (ValueError, ScopeError):
        known = False
    if not known:
        raise TokenRefused("The token is malformed.")
    return home, scope
