"""Requests that end at the proxy: its own pages, and questions about the proxy itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from oidproxy.errors import BadRequest, MethodNotAllowed, NotAdmitted
from oidproxy.routing.authorities import facade
from oidproxy.routing.credentials import auth_token
from oidproxy.routing.decision import Answer, Arrival, Page
from oidproxy.tokens.presented import Form, Presented

if TYPE_CHECKING:
    from oidproxy.http.head import RequestHead
    from oidproxy.routing.inbound import Inbound

_ASKS_WHO = frozenset({Page.CLOUDS, Page.EXPLAIN, Page.LOCATE, Page.REQUESTS, Page.RESOURCES})


def ends_here(head: RequestHead) -> bool:
    """Whether this asks the proxy itself: `OPTIONS *`, or OPTIONS on its last hop (RFC 9110 7.6.2)."""
    if head.target == b"*":
        return True
    return head.method == "OPTIONS" and _last_hop(head.get(b"max-forwards"))


def options(head: RequestHead, arrival: Arrival) -> Answer:
    """What the proxy itself can do. Raises BadRequest for `*` with another method."""
    if head.method != "OPTIONS":
        raise BadRequest("The request target * goes with OPTIONS only.")
    return Answer(Page.OPTIONS, facade(head, arrival))


def answer(inbound: Inbound, page: Page) -> Answer:
    """One of our own pages.

    Raises:
        MethodNotAllowed: pages are only read.
        TokenRefused: the token is malformed, or its home unknown.
        NotAdmitted: a foreign cloud asks with its users' token.
    """
    if inbound.head.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed("This page is only read.", fields={"Allow": "GET, HEAD"})
    query = dict(parse_qsl(inbound.head.query.decode("latin-1"), keep_blank_values=True))
    if page is Page.REQUESTS:
        query["request"] = inbound.place.rest.decode("latin-1")
    return Answer(
        page,
        inbound.facade(inbound.url.tag),
        _asker(inbound) if page in _ASKS_WHO else None,
        MappingProxyType(query),
    )


def _asker(inbound: Inbound) -> Presented | None:
    token = auth_token(inbound.head, inbound.snapshot, inbound.local)
    if token is not None and token.form is Form.CLOSED:
        raise NotAdmitted("A token of another cloud's user may not ask this.")
    return token


def _last_hop(max_forwards: bytes | None) -> bool:
    return max_forwards is not None and max_forwards.isdigit() and int(max_forwards) == 0
