"""nginx's configuration: a plain `proxy_pass`, or maps from scopes to clouds."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.bench.layout import BULK_CLOUD, BULK_HOST, BULK_PATH, CLOUDS, PROXY_HOST, SERVICES, address, cloud
from tests.bench.traffic import BOUND, HOME, PATHS, calls, json_scope

if TYPE_CHECKING:
    from pathlib import Path

_MAPS = r"""
    map $http_x_auth_token $bare {
        default $http_x_auth_token;
        "~^(?<before>[^!]+)!" $before;
    }
    map $http_x_auth_token $said {
        default "";
        "~!(?<behind>.+)$" $behind;
    }
    map $http_x_scope $scope {
        default $http_x_scope;
        "" $said;
    }
"""


def configuration(folder: Path, port: int, *, name: str, maps: bool) -> str:
    """One worker, a log line for each request, connections kept to both sides."""
    upstreams = "\n".join(
        f"    upstream {service}_{where} {{ server {host}:{SERVICES[service]}; keepalive 256; "
        "keepalive_requests 1000000000; }"
        for service in PATHS
        for where, host in _clouds()
    )
    locations = "\n".join(_mapped(service) if maps else _plain(service) for service in PATHS)
    return f"""\
daemon off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log stderr;
events {{ worker_connections 19000; }}
http {{
    access_log {folder}/{name}.access combined buffer=32k flush=1s;
    client_body_temp_path {folder}/{name}-body;
    proxy_temp_path {folder}/{name}-proxy;
    fastcgi_temp_path {folder}/{name}-fastcgi;
    uwsgi_temp_path {folder}/{name}-uwsgi;
    scgi_temp_path {folder}/{name}-scgi;
    keepalive_timeout 120s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    map_hash_bucket_size 256;
    map_hash_max_size 8192;
{_scopes() if maps else ""}
{upstreams}
    server {{
        listen {PROXY_HOST}:{port} backlog=4096;
        proxy_set_header X-Scope "";
        {"proxy_set_header X-Auth-Token $bare;" if maps else ""}
        proxy_set_header Connection "";
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        location /image{BULK_PATH} {{ proxy_pass http://image_{BULK_CLOUD}{BULK_PATH}; }}
{locations}
    }}
}}
"""


def _clouds() -> list[tuple[str, str]]:
    return [*((cloud(number), address(number)) for number in range(1, CLOUDS + 1)), (BULK_CLOUD, BULK_HOST)]


def _plain(service: str) -> str:
    return f"        location /{service}/ {{ proxy_pass http://{service}_{cloud(HOME)}/; }}"


def _mapped(service: str) -> str:
    where = f"${service}_cloud".replace("-", "_") if service in BOUND else cloud(HOME)
    return f"""\
        location /{service}/ {{
            rewrite ^/{service}(/.*)$ $1 break;
            proxy_pass http://{service}_{where};
        }}"""


@cache
def _scopes() -> str:
    """From the text of each scope that is in use to the cloud of each service."""
    texts = {json_scope(call.scope): dict(call.scope) for call in calls(CLOUDS)}
    maps = []
    for service in BOUND:
        rows = "\n".join(f"        '{text}' {cloud(scope[service])};" for text, scope in texts.items())
        maps.append(f"    map $scope ${service}_cloud {{\n        default {cloud(HOME)};\n{rows}\n    }}")
    return _MAPS + "\n".join(maps)
