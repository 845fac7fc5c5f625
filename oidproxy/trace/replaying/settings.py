"""Everything that a replay is told, as a value that can be handed to other processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from oidproxy.trace.whatif.scopes import ScopeMap


@dataclass(frozen=True, slots=True)
class Login:
    """How one account signs in."""

    auth_url: str
    body: bytes = field(repr=False)
    """Of `POST /v3/auth/tokens`."""


@dataclass(frozen=True, slots=True)
class Logins:
    """Which account sends for which recorded user."""

    default: Login
    users: Mapping[str, Login] = field(default_factory=dict)
    """Digest in the trace -> account."""
    homes: Mapping[str, Login] = field(default_factory=dict)
    """Home in the trace -> account, for users that are not named."""

    def of(self, user: str, home: str) -> Login:
        """The account for a user of this home."""
        return self.users.get(user) or self.homes.get(home) or self.default


@dataclass(frozen=True, slots=True)
class Settings:
    """One replay."""

    trace: Path
    logins: Logins
    speed: float = 1.0
    loops: int = 1
    seed: int = 0
    closed: bool = False
    """Each user sends only after the answer before, instead of at the recorded times."""
    suffix: str = ""
    """Behind the names of what is made."""
    scope: str | None = None
    """In place of the recorded scopes; None leaves them …"""
    maps: tuple[ScopeMap, ...] = ()
    """… and these change them."""
    explain: bool = False
    """Ask the proxy which cloud serves each request (X-Scope-Explain)."""
    allowed: frozenset[str] = frozenset()
    """Hosts beyond this machine."""
    region: str = ""
    """Whose endpoints of the catalog are used; "": the first of each service."""
    cacert: str = ""
    insecure: bool = False
    connections: int = 4000
    timeout: float = 300.0
    """Seconds for a whole answer."""
    patience: float = 60.0
    """Seconds that a request waits for an id which another one makes."""

    @property
    def changes_scopes(self) -> bool:
        """Whether requests go elsewhere than they did, so that the recorded clouds say nothing."""
        return self.scope is not None or bool(self.maps)
