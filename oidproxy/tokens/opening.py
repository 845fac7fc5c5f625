"""From the text that a request presents to the token inside, whichever of the four forms it came in."""

from __future__ import annotations

import re

from oidproxy.errors import ScopeError, TokenRefused
from oidproxy.scope.legacy import split
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE, Scope
from oidproxy.tokens.closed import Keyring, is_closed
from oidproxy.tokens.presented import Box, Form, Presented
from oidproxy.tokens.sealed import MARK, unseal

LIMIT = 8 * 1024
"""Characters of a token; services refuse header lines of this size themselves (gunicorn: 8,190 bytes)."""

_LEGACY_MARK = "!SCOPE!"

# Every bare token goes into a header of its home's Keystone: one from a JSON body must not break a line
# there.
_BARE = re.compile(r"[!-}]+")


def present(text: str, keyring: Keyring, *, default_home: str) -> Presented:
    """What this text presents. `default_home` is the home of a token that does not say its own.

    Raises TokenRefused, always with the same words: what exactly was wrong helps only a forger.
    """
    if len(text) > LIMIT:
        raise _refusal()
    if is_closed(text):
        return _closed(text, keyring.open(text))
    if _LEGACY_MARK in text:
        return _legacy(text, default_home)
    if MARK in text:
        token, home, scope = unseal(text)
        return Presented(Form.SEALED, text, _bare(token), home, scope)
    return Presented(Form.BARE, text, _bare(text), default_home)


def _closed(text: str, box: Box) -> Presented:
    return Presented(Form.CLOSED, text, _bare(box.token), box.home, _scope(box.scope), box)


def _legacy(text: str, default_home: str) -> Presented:
    try:
        parts = split(text)
    except ScopeError:
        parts = None
    if parts is None:
        raise _refusal()
    token, scope = parts
    return Presented(Form.LEGACY, text, _bare(token), default_home, scope)


def _scope(text: str) -> Scope:
    try:
        return parse(text) if text else NO_SCOPE
    except ScopeError:
        # Closed by a proxy of another version of the language: not readable here.
        raise _refusal() from None


def is_bare(token: str) -> bool:
    """Whether this text can be a bare token: it has no character of a header's or an envelope's."""
    return _BARE.fullmatch(token) is not None


def _bare(token: str) -> str:
    if not is_bare(token):
        raise _refusal()
    return token


def _refusal() -> TokenRefused:
    return TokenRefused("The token is malformed.")
