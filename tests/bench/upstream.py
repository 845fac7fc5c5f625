"""The clouds: nginx with prepared answers, as lean as an upstream gets, and the origin beside it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.bench.answers import FIELDS, body
from tests.bench.layout import (
    BULK_HOST,
    CLOUDS,
    DIRECT_HOST,
    DIRECT_PORT,
    KEYSTONE_PORT,
    SERVICES,
    address,
)
from tests.bench.processes import Running, check_free, start, wait_for_port
from tests.bench.traffic import HOME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench.layout import Cores

ECHO = (
    r'"$server_addr:$server_port\n$request_uri\n$http_x_auth_token\n$http_x_scope\n'
    r'$http_x_service_token"'
)
"""What came, for the check that requests go where they should, and as they should."""


@contextmanager
def clouds(folder: Path, cores: Cores, *, echo: bool = False) -> Iterator[Running]:
    """The clouds, until the block ends."""
    path = folder / "upstream.conf"
    path.write_text(configuration(folder, echo=echo))
    check_free(DIRECT_HOST, DIRECT_PORT)
    name = "upstream-echo" if echo else "upstream"
    nginx = start(name, ["nginx", "-e", "stderr", "-c", str(path)], folder, cores.rest)
    try:
        wait_for_port(nginx, DIRECT_HOST, DIRECT_PORT)
        yield nginx
    finally:
        nginx.stop()


@contextmanager
def origin(folder: Path, cores: Cores) -> Iterator[Running]:
    """Keystone and large bodies, until the block ends."""
    check_free(address(HOME), KEYSTONE_PORT)
    running = start("origin", [sys.executable, "-m", "tests.bench.origin"], folder, cores.rest)
    try:
        wait_for_port(running, address(HOME), KEYSTONE_PORT)
        wait_for_port(running, BULK_HOST, SERVICES["image"])
        yield running
    finally:
        running.stop()


def configuration(folder: Path, *, echo: bool = False) -> str:
    """nginx's, with a server for each service of each cloud."""
    servers = [
        _server(f"{address(number)}:{port}", ECHO if echo else f"'{body(number, service)}'")
        for number in range(1, CLOUDS + 1)
        for service, port in SERVICES.items()
    ]
    direct = ECHO if echo else f"'{body(HOME, 'compute')}'"
    fields = "\n".join(f"    add_header {name} '{value}';" for name, value in FIELDS.items())
    lines = "\n".join([*servers, _server(f"{DIRECT_HOST}:{DIRECT_PORT}", direct)])
    return f"""\
daemon off;
master_process off;
pid {folder}/upstream.pid;
events {{ worker_connections 15000; }}
http {{
    access_log off;
    error_log stderr;
    client_body_temp_path {folder}/upstream-body;
    proxy_temp_path {folder}/upstream-proxy;
    fastcgi_temp_path {folder}/upstream-fastcgi;
    uwsgi_temp_path {folder}/upstream-uwsgi;
    scgi_temp_path {folder}/upstream-scgi;
    default_type application/json;
    keepalive_timeout 3600;
    keepalive_requests 1000000000;
    large_client_header_buffers 8 16k;
{fields}
{lines}
}}
"""


def _server(listen: str, answer: str) -> str:
    return f"    server {{ listen {listen} backlog=4096; location / {{ return 200 {answer}; }} }}"
