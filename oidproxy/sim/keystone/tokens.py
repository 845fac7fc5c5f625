"""Tokens that look like Fernet's: issued, validated, revoked."""

from __future__ import annotations

import struct
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError

if TYPE_CHECKING:
    from oidproxy.sim.keystone.model import Keystone

EXPIRED_WINDOW = 172_800
"""`[token] allow_expired_window`: seconds for which an expired token may still be validated when asked so."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token speaks for; nothing at all when it is unscoped."""

    project_id: str = ""
    domain_id: str = ""
    system: bool = False

    @property
    def target(self) -> tuple[str, str] | None:
        """Kind and id of what roles are granted on."""
        if self.project_id:
            return "project", self.project_id
        if self.domain_id:
            return "domain", self.domain_id
        return ("system", "all") if self.system else None


@dataclass(frozen=True, slots=True)
class Token:
    """One token."""

    id: str = field(repr=False)
    user_id: str
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued: float
    expires: float
    scope: Scope
    credential_id: str = ""
    """The application credential that it was issued for."""
    revoked: bool = False

    def role_ids(self, keystone: Keystone) -> tuple[str, ...]:
        """Its roles as they stand now."""
        target = self.scope.target
        if target is None:
            return ()
        held = tuple(role["id"] for role in keystone.roles_on(self.user_id, *target))
        if not self.credential_id:
            return held
        granted = {role["id"] for role in keystone.credentials.get(self.credential_id)["roles"]}
        return tuple(role for role in held if role in granted)


class Tokens:
    """Every token of one Keystone. `lifetime` is `[token] expiration`, in seconds."""

    def __init__(self, keystone: Keystone, lifetime: float) -> None:
        self._keystone = keystone
        self._lifetime = lifetime
        self._tokens: dict[str, Token] = {}

    def issue(
        self,
        user_id: str,
        methods: tuple[str, ...],
        scope: Scope,
        *,
        parent: Token | None = None,
        credential_id: str = "",
    ) -> Token:
        """A new token. One that comes of another keeps its end, and remembers the audit id of the first of
        the chain."""
        sources = self._keystone.sources
        now = float(int(sources.now()))
        self._sweep(now)
        audit_id = urlsafe_b64encode(sources.octets(16)).decode()[:-2]
        token = Token(
            id=self._text(now),
            user_id=user_id,
            methods=methods,
            audit_ids=(audit_id, parent.audit_ids[-1]) if parent else (audit_id,),
            issued=now,
            expires=parent.expires if parent else now + self._lifetime,
            scope=scope,
            credential_id=credential_id,
        )
        self._tokens[token.id] = token
        return token

    def _text(self, now: float) -> str:
        """As long as Fernet's, and as opaque: version, time, then 144 random octets for IV, ciphertext and
        HMAC."""
        return urlsafe_b64encode(
            b"\x80" + struct.pack(">Q", int(now)) + self._keystone.sources.octets(144)
        ).decode()

    def _sweep(self, now: float) -> None:
        """Forget from the oldest on what nobody may validate any more; tokens are kept in order of issue."""
        while self._tokens:
            oldest = next(iter(self._tokens.values()))
            if oldest.issued + self._lifetime + EXPIRED_WINDOW > now:
                return
            del self._tokens[oldest.id]

    def validate(self, token_id: str, *, allow_expired: bool = False, access_rules: bool = False) -> Token:
        """The token of this id; 404 when it is unknown, expired, revoked, or its user, project or roles are
        gone.

        A token of an application credential with access rules is hidden from whoever does not say that it
        enforces them.
        """
        token = self._tokens.get(token_id)
        if token is None:
            raise ApiError(404, "Could not recognize Fernet token")
        limit = token.expires + (EXPIRED_WINDOW if allow_expired else 0)
        if token.revoked or self._keystone.sources.now() >= limit or not self._stands(token):
            raise ApiError(404, "Failed to validate token")
        if self._has_rules(token) and not access_rules:
            raise ApiError(404, "Failed to validate token")
        return token

    def _stands(self, token: Token) -> bool:
        keystone = self._keystone
        if token.user_id not in keystone.users or not keystone.users.get(token.user_id)["enabled"]:
            return False
        if token.credential_id and token.credential_id not in keystone.credentials:
            return False
        if token.scope.project_id and not keystone.is_live(token.scope.project_id):
            return False
        return token.scope.target is None or bool(token.role_ids(keystone))

    def _has_rules(self, token: Token) -> bool:
        if not token.credential_id:
            return False
        return self._keystone.credentials.get(token.credential_id)["access_rules"] is not None

    def revoke(self, token: Token) -> None:
        """From now on it is unknown to everybody."""
        self._tokens[token.id] = replace(token, revoked=True)

    def revoke_user(self, user_id: str) -> None:
        """Revoke every token of a user: its password changed."""
        for token in [token for token in self._tokens.values() if token.user_id == user_id]:
            self.revoke(token)
