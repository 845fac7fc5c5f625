"""A token as a request presents it: the form it came in, the bare token inside, what it says of routing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from oidproxy.quickly import quickly
from oidproxy.scope.tree import NO_SCOPE, Scope
from oidproxy.tokens.digest import digest


class Use(StrEnum):
    """What a closed token may be used for."""

    CALL = "call"
    VALIDATE = "validate"


class Form(StrEnum):
    """How a token came."""

    BARE = "bare"
    SEALED = "sealed"
    LEGACY = "legacy"
    """OpenStackoid's `TOKEN!SCOPE!{json}`."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Box:
    """What a closed token says of itself; believed, since only the fleet's key makes one."""

    token: str = field(repr=False)
    home: str
    scope: str
    """Canonical text of the effective scope it was closed under."""
    cloud: str
    """The audience: the cloud it was sent to …"""
    service: str
    """… and the official type of the service there."""
    use: Use
    expires: int
    """Seconds since the epoch: the token's own end."""


@quickly
@dataclass(frozen=True, slots=True)
class Presented:
    """One token of a request."""

    form: Form
    text: str = field(repr=False)
    """As it came."""
    token: str = field(repr=False)
    """What its home's Keystone takes."""
    home: str
    """The cloud that issued it. For a bare or legacy token: the listener's cloud, else the local one."""
    scope: Scope = NO_SCOPE
    box: Box | None = None
    _digest: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, bytes]:
        """Home and digest of the bare token: what it is remembered by. Made once, asked for often."""
        made = self._digest
        if made is None:
            made = digest(self.token)
            object.__setattr__(self, "_digest", made)
        return self.home, made
