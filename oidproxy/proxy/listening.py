"""A worker's listening sockets: one per address and port, shared among workers by SO_REUSEPORT."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.clouds.registry import ListenerTls
from oidproxy.errors import ConfigError
from oidproxy.proxy.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidproxy.clouds.registry import Listener
    from oidproxy.proxy.serving import Serving

BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Spot:
    """One port of one listener."""

    host: str
    port: int
    service_type: str | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def spots(listener: Listener) -> Iterator[Spot]:
    """Every port that a listener stands on."""
    if listener.port is not None:
        yield Spot(listener.host, listener.port, None)
    for service_type, port in listener.ports.items():
        yield Spot(listener.host, port, service_type)


_Key = tuple[Spot, ListenerTls | None]


class Listening:
    """Opens and closes listening sockets so that they match a registry."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._open: dict[_Key, asyncio.Server] = {}
        self._contexts: dict[ListenerTls, ssl.SSLContext] = {}

    async def match(self, listeners: tuple[Listener, ...]) -> None:
        """Open what is new and close what is gone. Nothing is changed if one cannot be opened.

        Certificates are read again, also of what stays: they are renewed under the same path.

        Raises:
            ConfigError: an address cannot be listened on, or a certificate cannot be read.
        """
        wanted = {(spot, listener.tls): listener for listener in listeners for spot in spots(listener)}
        contexts = {tls: server_context(tls) for _, tls in wanted if tls is not None}
        opened: dict[_Key, asyncio.Server] = {}
        try:
            for key in wanted.keys() - self._open.keys():
                spot, tls = key
                context = self._contexts.get(tls, contexts[tls]) if tls else None
                opened[key] = await self._listen(spot, context)
        except ConfigError:
            for server in opened.values():
                server.close()
            raise
        for key in self._open.keys() - wanted.keys():
            self._open.pop(key).close()
        self._open |= opened
        for tls in contexts.keys() & self._contexts.keys():
            # The servers that stay hold this context; its next handshakes show what it loads now.
            _load(self._contexts[tls], tls)
        self._contexts = contexts | {
            tls: context for tls, context in self._contexts.items() if tls in contexts
        }

    def close(self) -> None:
        """Accept no more."""
        for server in self._open.values():
            server.close()
        self._open.clear()

    async def _listen(self, spot: Spot, context: ssl.SSLContext | None) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            sock = _bind(spot)
        except OSError as error:
            raise ConfigError(f"cannot listen on {spot}: {error.strerror or 'unknown address'}") from None
        try:
            return await loop.create_server(
                lambda: Connection(self._serving, spot.host, spot.port),
                sock=sock,
                ssl=context,
                backlog=BACKLOG,
                ssl_handshake_timeout=self._serving.snapshot.registry.limits.head if context else None,
            )
        except OSError as error:
            sock.close()
            raise ConfigError(f"cannot listen on {spot}: {error.strerror}") from None


def _bind(spot: Spot) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        spot.host, spot.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def server_context(tls: ListenerTls) -> ssl.SSLContext:
    """TLS for clients, 1.2 or newer, from the paths of PEM files. Raises ConfigError if they will not do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, tls)
    return context


def _load(context: ssl.SSLContext, tls: ListenerTls) -> None:
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot use the certificate {tls.cert} with the key {tls.key}: {error.strerror}"
        ) from None
