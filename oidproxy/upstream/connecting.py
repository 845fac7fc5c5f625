"""Opening a connection to a cloud: addresses in turn, TLS, one time limit, failures as our errors."""

from __future__ import annotations

import asyncio
import errno
import ssl
from typing import TYPE_CHECKING, TypeVar

from oidproxy.errors import ConnectRefused, ConnectTimedOut, Overloaded, TlsFailed, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.clouds.registry import Endpoint
    from oidproxy.upstream.distances import Distances
    from oidproxy.upstream.resolving import Resolver
    from oidproxy.upstream.tls import Contexts, Trust

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""This machine ran out of something: no fault of the cloud."""


class Connector:
    """Opens connections to endpoints. Knows no proxy, whatever the environment says."""

    __slots__ = ("_contexts", "_distances", "_loop", "_resolver")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        resolver: Resolver,
        contexts: Contexts,
        distances: Distances | None = None,
    ) -> None:
        """`distances` are told of every connection."""
        self._distances = distances
        self._loop = loop
        self._resolver = resolver
        self._contexts = contexts

    async def open(
        self, endpoint: Endpoint, trust: Trust, limit: float, protocol: Callable[[str], ProtocolT]
    ) -> ProtocolT:
        """A connection within `limit` seconds, the name's resolution and the TLS handshake included.

        `protocol` makes the protocol from the address it is connected to.

            Raises: ConnectRefused, ConnectTimedOut, TlsFailed, Overloaded: each with the cloud's name and
            `sent` false.
        """
        try:
            async with asyncio.timeout(limit):
                return await self._open(endpoint, trust, limit, protocol)
        except (OSError, UnicodeError) as error:
            raise _failure(error, endpoint, limit) from None

    async def _open(
        self, endpoint: Endpoint, trust: Trust, limit: float, protocol: Callable[[str], ProtocolT]
    ) -> ProtocolT:
        origin = endpoint.origin
        context = self._contexts.get(trust, endpoint.cloud) if origin.scheme == "https" else None
        addresses = await self._resolver.addresses(origin.host)
        for address in addresses[:-1]:
            try:
                # An address that drops packets must leave time for the next one.
                async with asyncio.timeout(limit / len(addresses)):
                    return await self._connect(address, endpoint, context, protocol)
            except OSError:
                continue
        return await self._connect(addresses[-1], endpoint, context, protocol)

    async def _connect(
        self,
        address: str,
        endpoint: Endpoint,
        context: ssl.SSLContext | None,
        protocol: Callable[[str], ProtocolT],
    ) -> ProtocolT:
        origin = endpoint.origin
        transport, connected = await self._loop.create_connection(
            lambda: protocol(address),
            address,
            origin.port,
            ssl=context,
            server_hostname=origin.host if context else None,
        )
        if self._distances is not None:
            self._distances.note(endpoint.cloud, transport)
        return connected


def _failure(error: Exception, endpoint: Endpoint, limit: float) -> UpstreamError:
    """What went wrong, in words that show no address: clients of a gateway see the message."""
    cloud, what = endpoint.cloud, f"{endpoint.cloud}: its {endpoint.service_type} service"
    if isinstance(error, TimeoutError):
        return ConnectTimedOut(f"{what} took no connection within {limit:g} s.", cloud=cloud)
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or "it cannot be verified"
        return TlsFailed(f"{what} has a certificate that is not accepted: {reason}.", cloud=cloud)
    if isinstance(error, ssl.SSLError):
        return TlsFailed(f"{what} and this proxy agree on no TLS session.", cloud=cloud)
    if isinstance(error, OSError) and error.errno in _OURS:
        fields = {"Retry-After": "1"}
        return Overloaded("This proxy can open no further connection.", cloud=cloud, fields=fields)
    if endpoint.origin.scheme == "https" and isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return TlsFailed(f"{what} broke the TLS handshake off.", cloud=cloud)
    return ConnectRefused(f"{what} cannot be connected to: {_why(error)}.", cloud=cloud)


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH}:
        return "unreachable"
    return (
        "unknown host"
        if isinstance(error, UnicodeError) or not getattr(error, "errno", None)
        else "no connection"
    )
