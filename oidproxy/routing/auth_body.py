"""The token in the body of an authentication, found and replaced (Identity API v3: token authentication)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oidproxy.errors import BadRequest

WHERE = ("auth", "identity", "token", "id")

DEPTH = 64


@dataclass(frozen=True, slots=True)
class AuthBody:
    """A body as it came and as JSON; an empty mapping where it is no JSON object, for Keystone to refuse."""

    raw: bytes = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)

    @property
    def token(self) -> str | None:
        """`auth.identity.token.id`, where that is a string."""
        found: Any = self.document
        for key in WHERE:
            if not isinstance(found, Mapping):
                return None
            found = found.get(key)
        return found if isinstance(found, str) else None

    def with_token(self, token: str) -> bytes:
        """The body with another token, its other bytes as they came where that surely means the same."""
        if token == self.token:
            return self.raw
        old = json.dumps(self.token).encode()
        if self.raw.count(old) == 1:
            patched = self.raw.replace(old, json.dumps(token).encode())
            # The one place may be another value than the token's, if that is spelled with escapes.
            if _same(patched, self._replaced(token)):
                return patched
        return self.as_read(token)

    def as_read(self, token: str) -> bytes:
        """The body with another token, written anew: whatever was checked of it is what Keystone reads."""
        return json.dumps(self._replaced(token)).encode()

    def _replaced(self, token: str) -> dict[str, Any]:
        auth = self.document["auth"]
        identity = auth["identity"]
        renewed = {**identity, "token": {**identity["token"], "id": token}}
        return {**self.document, "auth": {**auth, "identity": renewed}}


def read(raw: bytes) -> AuthBody:
    """The body of an authentication.

    Raises:
        BadRequest: it is nested deeper than any authentication is.
    """
    try:
        document = json.loads(raw)
    except ValueError:
        document = None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(document, dict):
        return AuthBody(raw, {})
    _check_depth(document)
    return AuthBody(raw, document)


def _check_depth(document: dict[str, Any]) -> None:
    """Deep values could be read but not written or compared again: all three recurse, differently deep."""
    level: list[Any] = [document]
    for _ in range(DEPTH):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            return
    raise _too_deep()


def _inner(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_deep() -> BadRequest:
    return BadRequest("The request body is nested too deeply.")


def _same(raw: bytes, wanted: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads(raw) == wanted)
    except ValueError:
        return False
