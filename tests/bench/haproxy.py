"""HAProxy's configuration, and the list of services that its Lua reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.layout import (
    BULK_CLOUD,
    BULK_HOST,
    CLOUDS,
    KEYSTONE_PORT,
    PROXY_HOST,
    SERVICES,
    address,
    cloud,
)
from tests.bench.traffic import HOME

if TYPE_CHECKING:
    from pathlib import Path

INTERFACES = ("public", "internal", "admin")

_ROUTE = {
    # A fetch that answers the backend's name, as the prototype registered it.
    "prototype": ["http-request set-var(txn.backend) lua.interpret_scope"],
    "lean": [
        "http-request set-var(txn.scope) req.fhdr(x-auth-token),field(2,!,0)",
        "http-request set-var(txn.scope) req.fhdr(x-scope) if { req.fhdr(x-scope) -m found }",
        "acl marked req.fhdr(x-auth-token) -m sub !",
        "http-request set-header x-auth-token %[req.fhdr(x-auth-token),field(1,!)] if marked",
        "http-request del-header x-scope",
        "http-request set-var(txn.backend) path,field(2,/),concat(|,txn.scope),lua.interpret_scope",
    ],
}


def configuration(folder: Path, lua: str, port: int) -> str:
    """One thread, a backend for each service of each cloud, a log line for each request."""
    route = "\n".join(f"    {line}" for line in _ROUTE[lua])
    backends = "\n".join(
        f"backend {name}_{service}_public\n    server one {host}:{at}"
        for name, service, host, at in _endpoints()
    )
    return f"""\
global
    nbthread 1
    maxconn 12000
    no strict-limits
    lua-prepend-path {folder}/?.lua
    lua-load {folder}/{lua}.lua
    log stdout format raw local0 info

defaults
    mode http
    log global
    option httplog
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 120s

frontend gateway
    bind {PROXY_HOST}:{port} backlog 4096
{route}
    http-request set-path /%[path,field(3,/,0)]
    use_backend %[var(txn.backend)]

{backends}
"""


def services(port: int) -> str:
    """The Lua table of everything that the clouds' catalogs hold; the local cloud's URLs are the proxy's.

    The local cloud stands in the middle, where a list in no particular order has it on average.
    """
    rows = [
        f'  {{ cloud = "{name}", type = "{service}", interface = "{interface}", url = "{host}" }},'
        for name, service, at in _ordered()
        for interface in INTERFACES
        for host in [f"{PROXY_HOST}:{port}/{service}" if name == cloud(HOME) else at]
    ]
    return f'return {{ locally = "{cloud(HOME)}", list = {{\n' + "\n".join(rows) + "\n} }\n"


def _ordered() -> list[tuple[str, str, str]]:
    rows = [(name, service, f"{host}:{at}/") for name, service, host, at in _endpoints()]
    local = [row for row in rows if row[0] == cloud(HOME)]
    others = [row for row in rows if row[0] != cloud(HOME)]
    return [*others[: len(others) // 2], *local, *others[len(others) // 2 :]]


def _endpoints() -> list[tuple[str, str, str, int]]:
    """Cloud, service, address and port of everything."""
    ports = {"identity": KEYSTONE_PORT, **SERVICES}
    rows = [
        (cloud(number), service, address(number), port)
        for number in range(1, CLOUDS + 1)
        for service, port in ports.items()
    ]
    return [*rows, (BULK_CLOUD, "image", BULK_HOST, SERVICES["image"])]
