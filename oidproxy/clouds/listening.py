"""`listeners:` and `admin:` to the addresses that the proxy serves on."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.addresses import host_port, plain_host, port_number
from oidproxy.clouds.config import AdminKeys, ListenerKeys
from oidproxy.clouds.registry import Admin, Listener, ListenerTls
from oidproxy.clouds.scopes import scope_text
from oidproxy.clouds.standard import PORTS, STANDARD
from oidproxy.scope.nearest import nearest
from oidproxy.scope.services import known, nearest_service, official

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from oidproxy.clouds.document import Path
    from oidproxy.clouds.findings import Findings
    from oidproxy.clouds.registry import Cloud

DEFAULT = ListenerKeys(bind="127.0.0.1:8888")
"""The one listener of a configuration that names none."""


def listeners(
    keys: list[ListenerKeys] | None,
    names: Collection[str],
    tls: Mapping[int, ListenerTls],
    findings: Findings,
) -> tuple[Listener, ...]:
    """Every listener whose address can be read; `tls` has their certificates by position."""
    given = [DEFAULT] if keys is None else keys
    if not given:
        findings.wrong(("listeners",), "there is no listener: give one, or leave listeners out")
    taken: dict[tuple[str, int], None] = {}
    read: list[Listener] = []
    for position, one in enumerate(given):
        listener = _listener(one, ("listeners", position), names, tls.get(position), findings)
        if listener is not None:
            _check_free(listener, ("listeners", position), taken, findings)
            read.append(listener)
    return tuple(read)


def admin(keys: AdminKeys | None, findings: Findings) -> Admin | None:
    """The admin listener, if there is to be one."""
    if keys is None:
        return None
    address = findings.read(("admin", "bind"), host_port, keys.bind)
    if keys.token and not (keys.token.isascii() and keys.token.isprintable() and " " not in keys.token):
        findings.wrong(("admin", "token"), "the token must be one line of printable ASCII without blanks")
    return Admin(*address, keys.token) if address else None


def check_admin(own: Admin | None, found: tuple[Listener, ...], findings: Findings) -> None:
    """The admin listener may not want an address that a listener has."""
    taken = {(listener.host, port) for listener in found for port, _ in _bound(listener, ())}
    if own is not None and (own.host, own.port) in taken:
        findings.wrong(("admin", "bind"), f"{own.host}:{own.port} is taken by a listener")


def check_beside(
    given: Sequence[ListenerKeys] | None, clouds: Mapping[str, Cloud], findings: Findings
) -> None:
    """A cloud that has a listener of its own has services that ask it; then nothing is exchanged there."""
    for position, keys in enumerate(given or ()):
        if keys.cloud is not None and keys.cloud in clouds and clouds[keys.cloud].direct:
            message = (
                f"{keys.cloud} has exchange:, so its services ask their own Keystone; "
                "a listener of its own is for a cloud whose services ask the proxy: drop one of the two"
            )
            findings.wrong(("listeners", position, "cloud"), message)


def _check_free(
    listener: Listener, path: Path, taken: dict[tuple[str, int], None], findings: Findings
) -> None:
    for port, where in _bound(listener, path):
        if (listener.host, port) in taken:
            findings.wrong(where, f"{listener.host}:{port} is taken already")
        taken[listener.host, port] = None


def _bound(listener: Listener, path: Path) -> Iterator[tuple[int, Path]]:
    if listener.port is not None:
        yield listener.port, (*path, "bind")
    for service, port in listener.ports.items():
        yield port, (*path, "ports", service)


def _listener(
    keys: ListenerKeys, path: Path, names: Collection[str], tls: ListenerTls | None, findings: Findings
) -> Listener | None:
    if keys.cloud is not None and keys.cloud not in names:
        message = f"no cloud is called {keys.cloud!r}"
        findings.wrong((*path, "cloud"), message, suggestion=nearest(keys.cloud, names))
    ports = _ports(keys.ports, (*path, "ports"), findings)
    reader = host_port if ":" in keys.bind.rpartition("]")[2] and not _bare_v6(keys.bind) else _host_only
    address = findings.read((*path, "bind"), reader, keys.bind)
    scope = scope_text(keys.scope, (*path, "scope"), findings)
    if address is None:
        return None
    host, port = address
    if port is None and not keys.ports:
        message = f'give a port (bind: "{keys.bind}:8888"), or ports: with one for each service'
        findings.wrong((*path, "bind"), message)
        return None
    return Listener(host, port, ports, keys.cloud, scope, tls)


def _bare_v6(bind: str) -> bool:
    return bind.count(":") > 1 and not bind.startswith("[")


def _host_only(bind: str) -> tuple[str, int | None]:
    return plain_host(bind), None


def _ports(given: str | dict[str, str] | None, path: Path, findings: Findings) -> Mapping[str, int]:
    if given is None:
        return MappingProxyType({})
    if isinstance(given, str):
        if given != "openstack":
            findings.wrong(path, f"expected openstack or a mapping of services to ports, got {given!r}")
        return PORTS
    read: dict[str, int] = {}
    for name, text in given.items():
        port = findings.read((*path, name), port_number, text)
        if _service(name, (*path, name), read, findings) and port is not None:
            read[official(name)] = port
    return MappingProxyType(read)


def _service(name: str, path: Path, read: Mapping[str, int], findings: Findings) -> bool:
    """A typing error here would open a port that nobody asks, so unknown services are refused."""
    if official(name) in read:
        findings.wrong(path, f"{official(name)} has a port already", key=True)
        return False
    if known(name) or official(name) in STANDARD:
        return True
    findings.wrong(path, f"no service is called {name!r}", key=True, suggestion=nearest_service(name))
    return False
