"""Whether an endpoint is one of our own listeners: a request sent there would come back to us."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.clouds.registry import Endpoint, Listener

_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


class Ours:
    """The addresses that the listeners take."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._hosts: dict[int, set[str]] = {}
        for listener in listeners:
            for port in (listener.port, *listener.ports.values()):
                if port is not None:
                    self._hosts.setdefault(port, set()).add(listener.host)

    def has(self, endpoint: Endpoint) -> bool:
        """Whether a listener takes this endpoint's address.

        The name of a learned endpoint is resolved for it (if its port is one of ours); one that was given is
        compared as it stands, since looking up thousands of names would hold up every start.
        """
        hosts = self._hosts.get(endpoint.origin.port)
        if hosts is None:
            return False
        host = endpoint.origin.host
        addresses = _addresses(host) if endpoint.source == "learned" or _is_address(host) else {host}
        if addresses & hosts or host in hosts:
            return True
        return bool(hosts & _ANY) and any(map(_is_local, addresses))


def _addresses(host: str) -> set[str]:
    if _is_address(host):
        return {host}
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(address[0]) for *_, address in found}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(address: str) -> bool:
    """Whether this machine has the address: only then can a socket be bound to it."""
    if not _is_address(address):
        return False
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
