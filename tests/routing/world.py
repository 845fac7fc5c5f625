"""A small world for routing: three clouds, a gateway, an address beside each cloud, and requests."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from oidproxy.clouds.registry import Cloud, Endpoint, Listener, Origin, Registry
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.http.head import Framing, Length, NoBody, RequestHead
from oidproxy.routing.decide import decide, decide_body
from oidproxy.routing.decision import Arrival, Decision, Snapshot
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.presented import Box, Use
from oidproxy.tokens.sealed import seal

NOW = 1_700_000_000.0
TOKEN = "gAAAAAB-token-of-a-user"
SERVICE_TOKEN = "gAAAAAB-token-of-a-service"
IMAGE = "5f0c3c5e-3b0f-4ad4-9d0b-1f2d3c4b5a69"

PORTS = {
    "identity": 5000,
    "image": 9292,
    "compute": 8774,
    "network": 9696,
    "placement": 8778,
    "block-storage": 8776,
}
KEYRING = Keyring((b"k" * 64,))


def cloud(name: str, position: int, *, without: tuple[str, ...] = (), **more: object) -> Cloud:
    """A cloud with every service of PORTS but some, and a second region where there is `regions`."""
    regions = more.pop("regions", ("RegionOne",))
    ports = PORTS | more.pop("ports", {})
    roots = more.pop("roots", {})
    endpoints = tuple(
        Endpoint(
            name,
            service,
            Origin("http", f"127.0.1.{position + 1}", port + 100 * offset),
            root=roots.get(service, ""),
            region=region,
        )
        for offset, region in enumerate(regions)
        for service, port in ports.items()
        if service not in without and not (offset and service == "identity")
    )
    return Cloud(name, f"http://127.0.1.{position + 1}:5000/v3", position, endpoints, regions[0], **more)


def registry(*clouds: Cloud, **more: object) -> Registry:
    """A registry of these clouds; by default cloud-1, cloud-2 and cloud-3, of which 2 and 3 are far."""
    clouds = clouds or (
        cloud("cloud-1", 0, groups=("near",)),
        cloud("cloud-2", 1, regions=("RegionOne", "RegionTwo"), groups=("far",)),
        cloud("cloud-3", 2, without=("block-storage",), groups=("far",), roots={"compute": "/compute"}),
    )
    index: dict[tuple[str, str], tuple[Endpoint, ...]] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for each in clouds:
        for endpoint in each.endpoints:
            key = (each.name, endpoint.service_type)
            index[key] = (*index.get(key, ()), endpoint)
        for group in each.groups:
            groups[group] = (*groups.get(group, ()), each.name)
    made = Registry(
        clouds=MappingProxyType({each.name: each for each in clouds}),
        groups=MappingProxyType(groups),
        local=clouds[0].name,
        listeners=(GATEWAY, *(beside(each.name) for each in clouds)),
        rtt=RoundTrips(default_us=1000, one_way_us=MappingProxyType({("cloud-1", "cloud-3"): 100})),
        service_types=frozenset(service for _, service in index),
        index=MappingProxyType(index),
    )
    return replace(made, **more)


GATEWAY = Listener("127.0.0.1", 8888)


def beside(name: str) -> Listener:
    """The listener beside a cloud: the same ports at 127.0.2.N."""
    return Listener(f"127.0.2.{name[-1]}", None, MappingProxyType(PORTS), name)


def snapshot(made: Registry | None = None) -> Snapshot:
    return Snapshot(made or registry(), KEYRING)


def at_gateway(listener: Listener = GATEWAY) -> Arrival:
    return Arrival(listener, listener.port, "192.0.2.7")


def at(name: str, service: str) -> Arrival:
    """A port beside a cloud."""
    return Arrival(beside(name), PORTS[service], "127.0.1.9", service)


def head(
    method: str = "GET",
    target: str | bytes = "/",
    *,
    scope: str | None = None,
    token: str | None = None,
    service_token: str | None = None,
    subject: str | None = None,
    host: str = "proxy:8888",
    framing: Framing | None = None,
    absolute: bool = False,
    **more: str,
) -> RequestHead:
    """A request; further fields are given with `_` for `-`."""
    fields = {"host": host} | {name.replace("_", "-"): value for name, value in more.items()}
    given = {
        "x-scope": scope,
        "x-auth-token": token,
        "x-service-token": service_token,
        "x-subject-token": subject,
    }
    fields |= {name: value for name, value in given.items() if value is not None}
    index = {name.encode(): value.encode() for name, value in fields.items()}
    if framing is None:
        framing = Length(2) if method in {"POST", "PUT", "PATCH"} else NoBody()
    raw = target if isinstance(target, bytes) else target.encode()
    return RequestHead(
        method, raw, host.encode(), 1, tuple(index.items()), framing, True, False, index, absolute
    )


def sealed(home: str = "cloud-1", scope: str = "", token: str = TOKEN) -> str:
    return seal(token, home, parse(scope) if scope else NO_SCOPE)


def closed(
    home: str = "cloud-1",
    scope: str = "",
    *,
    cloud: str = "cloud-2",
    service: str = "compute",
    use: Use = Use.CALL,
    expires: float = NOW + 3600,
    token: str = TOKEN,
) -> str:
    return KEYRING.close(Box(token, home, scope, cloud, service, use, int(expires)))


def ask(
    request: RequestHead,
    arrival: Arrival | None = None,
    known: Snapshot | None = None,
    body: bytes | None = None,
) -> Decision:
    """The decision; with a body the one after it was read."""
    arrival, known = arrival or at_gateway(), known or snapshot()
    if body is None:
        return decide(request, arrival, known, NOW)
    return decide_body(request, body, arrival, known, NOW)
