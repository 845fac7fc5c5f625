"""A Keystone that knows every token: replayed users are whoever their recorded token's digest says."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = "2999-01-01T00:00:00.000000Z"


class Keystone:
    """One cloud's."""

    def __init__(self, cloud: str, roles: Callable[[str], tuple[str, ...]]) -> None:
        """`roles`: of a token."""
        self._cloud = cloud
        self._roles = roles

    def describe(self, token: str) -> bytes:
        """What `GET /v3/auth/tokens` says of it."""
        user, project = _digits("user", token), _digits("project", token)
        domain = {"id": "default", "name": "Default"}
        document = {
            "methods": ["password"],
            "user": {"domain": domain, "id": user, "name": f"user-{user[:8]}", "password_expires_at": None},
            "project": {"domain": domain, "id": project, "name": f"project-{project[:8]}"},
            "is_domain": False,
            "roles": [{"id": _digits("role", name), "name": name} for name in self._roles(token)],
            "audit_ids": [user[:22]],
            "expires_at": FOREVER,
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "catalog": [],
        }
        return msgspec.json.encode({"token": document})

    def issue(self, number: int) -> str:
        """A new token, for the request of this number."""
        return "v" + _digits(self._cloud, str(number))


def _digits(*parts: str) -> str:
    return blake2b("/".join(parts).encode(), digest_size=16).hexdigest()
