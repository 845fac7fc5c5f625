"""Two clouds and a proxy in front of them, as values, for the tests of rewriting."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from oidproxy.clouds.limits import Limits
from oidproxy.clouds.registry import Admission, Cloud, Endpoint, Listener, Origin, Registry
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.http.parse import request_head, response_head
from oidproxy.routing.decision import Carrier, Facade, Route
from oidproxy.scope.tree import NO_SCOPE

PORTS = MappingProxyType(
    {
        "identity": 5000,
        "image": 9292,
        "compute": 8774,
        "network": 9696,
        "block-storage": 8776,
        "placement": 8778,
    }
)
SUFFIXES = {"identity": "/v3", "compute": "/v2.1", "block-storage": "/v3/%(project_id)s"}
SPELLED = {
    "block-storage": ("volumev3", "cinderv3"),
    "identity": ("identity", "keystone"),
    "image": ("image", "glance"),
}
GATEWAY = Listener("127.0.0.1", 8888)


def endpoint(cloud: str, service: str, host: str, **more) -> Endpoint:
    catalog_type, catalog_name = SPELLED.get(service, (service, f"the {service}"))
    made = Endpoint(
        cloud,
        service,
        Origin("http", host, PORTS.get(service, 9000)),
        suffix=SUFFIXES.get(service, ""),
        catalog_type=catalog_type,
        catalog_name=catalog_name,
    )
    return replace(made, **more)


def beside(number: int) -> Listener:
    return Listener(f"127.0.2.{number}", None, PORTS, f"cloud-{number}")


def cloud(number: int, services=tuple(PORTS), region="RegionOne", admits=(), more=(), groups=()) -> Cloud:
    name, host = f"cloud-{number}", f"127.0.1.{number}"
    endpoints = [endpoint(name, service, host, region=region) for service in services]
    return Cloud(
        name,
        f"http://{host}:5000/v3",
        number,
        (*endpoints, *more),
        region,
        groups,
        MappingProxyType({home: Admission() for home in admits}),
    )


LISTENERS = (GATEWAY, beside(1), beside(2))


def registry(*clouds: Cloud, listeners=LISTENERS, groups=None) -> Registry:
    index: dict[tuple[str, str], list[Endpoint]] = {}
    for one in clouds:
        for its in sorted(one.endpoints, key=lambda its: its.region != one.region):
            if its.interface == "public":
                index.setdefault((one.name, its.service_type), []).append(its)
    return Registry(
        clouds=MappingProxyType({one.name: one for one in clouds}),
        groups=MappingProxyType(groups or {}),
        local=clouds[0].name,
        listeners=tuple(listeners),
        rtt=RoundTrips(),
        service_types=frozenset(service for _, service in index),
        index=MappingProxyType({key: tuple(found) for key, found in index.items()}),
    )


def two_clouds(**more) -> Registry:
    return registry(cloud(1), cloud(2, region="RegionTwo", admits=("cloud-1",)), **more)


def gateway(tag: str = "", **more) -> Facade:
    return replace(Facade("http", "127.0.0.1", 8888, GATEWAY, tag), **more)


def beside_facade(number: int = 1, tag: str = "", port: int = 8774) -> Facade:
    return Facade("http", f"127.0.2.{number}", port, beside(number), tag)


def route(service: str, rest: bytes, facade: Facade | None = None, to: Endpoint | None = None) -> Route:
    at = to or endpoint("cloud-1", service, "127.0.1.1")
    target = at.root.encode() + rest
    return Route(
        service,
        at,
        target,
        rest.partition(b"?")[0],
        "cloud-1",
        Carrier.HOME,
        NO_SCOPE,
        NO_SCOPE,
        facade or gateway(),
    )


def asked(*lines: bytes, line: bytes = b"GET /compute/v2.1/servers HTTP/1.1"):
    head = b"\r\n".join([line, b"Host: 127.0.0.1:8888", *lines, b"", b""])
    return request_head(head, Limits())


def answered(*lines: bytes, status: bytes = b"200 OK", method: str = "GET"):
    return response_head(
        b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""]), method=method, limits=Limits()
    )
