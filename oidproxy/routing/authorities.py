"""The names a request came for: the proxy's address as its client sees it, and whether a URL means us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest
from oidproxy.routing.decision import Arrival, Facade

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Listener, Registry
    from oidproxy.http.head import RequestHead

DEFAULT_PORTS = {"http": 80, "https": 443}

WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognized here, not bound
"""Hosts of listeners that stand for every address, and so are none themselves."""


def facade(head: RequestHead, arrival: Arrival, tag: str = "") -> Facade:
    """The proxy's URLs in the terms of whoever sent this head.

    An HTTP/1.0 request without Host is answered in terms of the listener's own address.
    """
    listener = arrival.listener
    host, port = _split(head.host)
    if not host:
        return Facade(listener.scheme, listener.host, arrival.port, listener, tag)
    return Facade(listener.scheme, host, port or DEFAULT_PORTS[listener.scheme], listener, tag)


def check_authority(head: RequestHead, arrival: Arrival, registry: Registry) -> None:
    """An absolute URL has to name one of our listeners (checklist B3); a plain path may come under any name.

    Raises:
        BadRequest: it names somebody else.
    """
    if not _absolute(head):
        return
    host, port = _split(head.host)
    port = port or DEFAULT_PORTS[arrival.listener.scheme]
    if not any(_is_at(listener, host.lower(), port) for listener in registry.listeners):
        raise BadRequest("The URL in the request line names a host or port that is not this proxy's.")


def _absolute(head: RequestHead) -> bool:
    return head.absolute or head.get(b"host") not in (None, head.host)


def _is_at(listener: Listener, host: str, port: int) -> bool:
    if port != listener.port and port not in listener.ports.values():
        return False
    return listener.host in WILDCARDS or host in (listener.host.lower(), _loopback_name(listener))


def _loopback_name(listener: Listener) -> str:
    return "localhost" if listener.host in ("127.0.0.1", "::1") else listener.host


def _split(authority: bytes) -> tuple[str, int | None]:
    """Host without brackets, and the port where one is given. `http.target` has checked the form."""
    text = authority.decode("latin-1")
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, ""
    return host.removeprefix("[").removesuffix("]"), int(
        port
    ) if port.isdecimal() and port.isascii() else None
