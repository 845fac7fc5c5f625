"""What the proxy answers itself on the data listeners: health, the SDK's profile, the plugin's questions."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from oidproxy.errors import BadRequest, NoSuchPath, TokenRefused
from oidproxy.http.parse import request_head
from oidproxy.manyclouds.job import user_of
from oidproxy.proxy.locate_page import located
from oidproxy.proxy.resource_page import listed
from oidproxy.routing.decision import Answer, Facade, Page
from oidproxy.routing.explain import explain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.clouds.registry import Cloud, Registry
    from oidproxy.http.head import Field, RequestHead
    from oidproxy.identity.service import Subject
    from oidproxy.proxy.exchange import Exchange

TEXT = ((b"Content-Type", b"text/plain; charset=UTF-8"),)
JSON = ((b"Content-Type", b"application/json"),)
METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, COPY"


@dataclass(frozen=True, slots=True)
class Own:
    """A whole answer of our own."""

    status: int
    fields: tuple[Field, ...]
    body: bytes


async def page(exchange: Exchange, answer: Answer) -> Own:
    """The answer to one of our own paths.

    Raises:
        TokenRefused: a page that shows clouds was asked for without a token, or with a bad one.
        NoSuchPath: nothing is known of what it should be about.
    """
    match answer.page:
        case Page.HEALTHCHECK:
            return _health(draining=exchange.serving.draining)
        case Page.OPTIONS:
            return Own(200, ((b"Allow", METHODS),), b"")
        case _:
            return Own(200, JSON, await _document(exchange, answer))


async def _document(exchange: Exchange, answer: Answer) -> bytes:
    """The JSON of a page."""
    match answer.page:
        case Page.CLOUDS:
            return _json(await _clouds(exchange, answer))
        case Page.EXPLAIN:
            return _json(await _explanation(exchange, answer))
        case Page.REQUESTS:
            return await _request(exchange, answer)
        case Page.LOCATE:
            return await located(exchange, answer, await _subject(exchange, answer))
        case Page.RESOURCES:
            return await listed(exchange, answer, await _subject(exchange, answer))
        case _:
            return _json(_profile(answer.facade))


def _health(*, draining: bool) -> Own:
    """As oslo.middleware's healthcheck answers, so that whatever probes OpenStack services can probe this."""
    return Own(503, TEXT, b"DRAINING") if draining else Own(200, TEXT, b"OK")


def _profile(facade: Facade) -> dict[str, Any]:
    """The SDK's remote profile: `profile: https://proxy` in clouds.yaml then needs only credentials."""
    return {"name": "oidproxy", "profile": {"auth": {"auth_url": f"{facade.base('identity')}/v3"}}}


async def _clouds(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    home = await _home(exchange, answer)
    registry = exchange.snapshot.registry
    return {"clouds": [_cloud(registry, cloud, home) for cloud in _visible(registry, home)]}


def _cloud(registry: Registry, cloud: Cloud, home: str) -> dict[str, Any]:
    public = [endpoint for endpoint in cloud.endpoints if endpoint.interface == "public"]
    return {
        "name": cloud.name,
        "regions": sorted({endpoint.region for endpoint in public}),
        "groups": list(cloud.groups),
        "services": sorted({endpoint.service_type for endpoint in public}),
        "home": cloud.name == home,
        "round_trip_ms": registry.round_trip_us(home, cloud.name) / 1000,
    }


def _visible(registry: Registry, home: str) -> Iterable[Cloud]:
    """The clouds that this user may know of: the home, and those that admit it."""
    return (cloud for cloud in registry.clouds.values() if cloud.name == home or home in cloud.admits)


async def _explanation(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    await _home(exchange, answer)
    head = _as_asked(exchange.request, answer)
    limits = exchange.snapshot.registry.limits
    parsed = request_head(head, limits)
    whole = "path" not in answer.query
    # The question names the service in its path, whatever service the port stands for that it came to.
    arrival = replace(exchange.arrival, service_type=None)
    return explain(parsed, arrival, exchange.snapshot, exchange.serving.clock(), every_service=whole)


async def _request(exchange: Exchange, answer: Answer) -> bytes:
    """What became of each cloud that an earlier request of this user's concerned."""
    await _home(exchange, answer)
    user = await user_of(answer.token, exchange.serving.identity)
    found = await exchange.serving.many.records.get(answer.query["request"], user)
    if found is None:
        raise NoSuchPath("No request of yours with this id and of several clouds is remembered.")
    return found


def _as_asked(asked: RequestHead, answer: Answer) -> bytes:
    """The head that the question is about: the asker's token, with the scope, method and path in question."""
    # The URL that the question came to may carry a scope of its own.
    prefix = f"/s/{answer.facade.tag}" if answer.facade.tag else ""
    method, path = answer.query.get("method", "GET"), prefix + answer.query.get("path", "/")
    _one_line(method, path, answer.query.get("scope", ""))
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + asked.host]
    token = asked.get(b"x-auth-token")
    if token is not None:
        lines.append(b"X-Auth-Token: " + token)
    scope = answer.query["scope"].encode() if "scope" in answer.query else asked.get(b"x-scope")
    if scope is not None:
        lines.append(b"X-Scope: " + scope)
    return b"\r\n".join([*lines, b"", b""])


def _one_line(*texts: str) -> None:
    """What stands in a query must not become a field of the head that is made of it."""
    if any(ord(character) < 0x20 for text in texts for character in text):
        raise BadRequest("The query of this page holds a control character.")


async def _home(exchange: Exchange, answer: Answer) -> str:
    return (await _subject(exchange, answer)).home


async def _subject(exchange: Exchange, answer: Answer) -> Subject:
    if answer.token is None:
        raise TokenRefused("This page needs a token: send X-Auth-Token.")
    return await exchange.serving.identity.subject(answer.token)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
