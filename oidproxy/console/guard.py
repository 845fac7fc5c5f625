"""Who may read and who may change: the rules of the admin listener.

It listens where browsers of the same machine can reach it, so a web page may try to use it through its
reader's browser: by a name of its own that resolves to us (its Host is then not ours), or by a form or a
script (its Origin is then not ours).
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field

from oidproxy.errors import NotAdmitted, TokenRefused

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of a request before it is answered."""

    peer: str
    """The address at the other end, without port."""
    port: int
    """Our own port that it came to."""
    host: str
    """The value of Host."""
    origin: str | None = None
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules for one listener: `host` is its configured address, `token` opens what changes something."""

    host: str
    token: str = field(repr=False)

    def may_read(self, caller: Caller) -> None:
        """Reading needs a loopback peer and a Host that is ours. Raises NotAdmitted."""
        if not _is_loopback(caller.peer):
            raise NotAdmitted("this is read from the machine itself only")
        if caller.host.lower() not in self._authorities(caller.port):
            raise NotAdmitted("the Host of this request is not the admin listener's")

    def may_change(self, caller: Caller) -> None:
        """Changing needs the token, and an Origin absent or ours. Raises NotAdmitted, TokenRefused."""
        if caller.origin is not None and caller.origin.lower() not in self._origins(caller.port):
            raise NotAdmitted("the Origin of this request is not the admin listener's")
        if not self.token:
            raise NotAdmitted("no admin token is configured, so nothing can be changed here")
        if not self._is_token(caller.authorization or ""):
            raise TokenRefused("this needs the admin token: Authorization: Bearer …")

    def _is_token(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        # Compared in a time that tells nothing of where they differ (RFC 6750 section 2.1 for the syntax).
        presented = credentials.strip().encode("utf-8", "surrogateescape")
        same = hmac.compare_digest(presented, self.token.encode())
        return same and scheme.lower() == "bearer"

    def _authorities(self, port: int) -> frozenset[str]:
        own = f"[{self.host}]" if ":" in self.host else self.host
        names = {own.lower(), *LOOPBACK_NAMES}
        # A browser leaves out the port where it is the scheme's own (RFC 9110 section 7.2).
        return frozenset({f"{name}:{port}" for name in names} | (names if port == 80 else set()))

    def _origins(self, port: int) -> frozenset[str]:
        return frozenset(f"http://{authority}" for authority in self._authorities(port))


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
