"""What identity answers: a whole answer, and which of Keystone's fields it may carry on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.http.fields import HOP_BY_HOP, connection_named, steers_scope
from oidproxy.rewrite.links import Links
from oidproxy.rewrite.request import keeps_cookies

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry
    from oidproxy.http.head import Field, ResponseHead
    from oidproxy.routing.decision import Route

JSON: Field = (b"Content-Type", b"application/json")
VARY: Field = (b"Vary", b"X-Auth-Token")

_NOT_RELAYED = frozenset({b"alt-svc", b"content-length", b"x-subject-token"})
_URLS = frozenset({b"content-location", b"location"})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer without framing: whoever sends it writes its length."""

    status: int
    fields: tuple[Field, ...] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


def subject_field(text: str) -> Field:
    """X-Subject-Token with this text."""
    return b"X-Subject-Token", text.encode("latin-1")


def relayed(head: ResponseHead, route: Route, registry: Registry, *more: Field) -> tuple[Field, ...]:
    """Keystone's fields but for those of one connection, ours, the length and the token; then `more`.

    A redirect (Keystone's for a path with `//`) stays at the proxy: followed past it, the client would sign
    in there and get a token that does not say whose it is.
    """
    named = connection_named(head.fields)
    kept = [each for each in head.fields if _passes(each[0].lower(), named, route)]
    if not head.index.keys().isdisjoint(_URLS):
        links = Links.of(registry, route.cloud, route.facade)
        kept = [
            (name, links.location(value, route.endpoint) if name.lower() in _URLS else value)
            for name, value in kept
        ]
    return (*kept, *more)


def _passes(name: bytes, named: frozenset[bytes], route: Route) -> bool:
    if name in HOP_BY_HOP or name in named or name in _NOT_RELAYED or steers_scope(name):
        return False
    return name != b"set-cookie" or keeps_cookies(route)
