"""TLS towards clouds: a context for each set of authorities, verified unless a cloud is declared insecure."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.clouds.registry import Cloud

_log = logging.getLogger("oidproxy.upstream")


class Trust(NamedTuple):
    """How a cloud's certificates are judged; clouds that judge alike share a context, never a session."""

    cacert: str | None = None
    insecure: bool = False


def trust_of(cloud: Cloud | None) -> Trust:
    """A cloud that is no longer declared is judged by the system's authorities."""
    return Trust() if cloud is None else Trust(cloud.cacert, cloud.insecure)


class Contexts:
    """Builds each context on first use: the system's authorities alone take some 15 ms to load."""

    __slots__ = ("_contexts", "_warned")

    def __init__(self) -> None:
        self._contexts: dict[Trust, ssl.SSLContext] = {}
        self._warned: set[str] = set()

    def get(self, trust: Trust, cloud: str) -> ssl.SSLContext:
        """The context; `cloud` is who needs it. Raises ssl.SSLError where `cacert` holds no certificate."""
        context = self._contexts.get(trust)
        if context is None:
            context = self._contexts[trust] = _build(trust)
        if trust.insecure and cloud not in self._warned:
            self._warned.add(cloud)
            _log.warning("%s: its certificates are NOT verified (insecure: true)", cloud)
        return context

    def keep_only(self, trusts: Iterable[Trust]) -> None:
        """Forget the contexts that nobody needs after a reload."""
        self._warned.clear()
        # Of ten thousand clouds few or none were called by TLS.
        kept = set(trusts) if self._contexts else set()
        for trust in [trust for trust in self._contexts if trust not in kept]:
            del self._contexts[trust]


def _build(trust: Trust) -> ssl.SSLContext:
    # Not ssl.create_default_context, which writes every session's secrets to the file that SSLKEYLOGFILE
    # names.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if trust.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif trust.cacert is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(cadata=trust.cacert)
    return context
