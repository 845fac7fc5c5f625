"""The head of a request as it goes to a cloud, written from the head that came and the route it takes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from oidproxy.errors import InternalError, LoopDetected, TokenRefused
from oidproxy.http.fields import (
    FORWARDED_PREFIXES,
    HOP_BY_HOP,
    KEYSTONE_FIELDS,
    SCOPE_PREFIXES,
    connection_named,
)
from oidproxy.http.head import Chunked, Framing, Length, NoBody, RequestHead, ResponseHead
from oidproxy.rewrite.lines import join

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.clouds.registry import Origin
    from oidproxy.routing.decision import Route

VIA_DEPTH = 8

_REWRITTEN = frozenset(
    {
        b"content-length",
        b"expect",
        b"host",
        b"via",
        b"x-auth-token",
        b"x-openstack-request-id",
        b"x-service-token",
        # keystonemiddleware takes it for X-Auth-Token where that is missing: a client's own must not slip
        # past.
        b"x-storage-token",
        b"x-subject-token",
    }
)
"""Written here, or answered for by the proxy itself (Expect)."""

_DANGEROUS = frozenset({b"proxy", b"x-http-method", b"x-http-method-override", b"x-method-override"})
"""CGI-like servers make HTTP_PROXY of the first, which their own clients then believe (CVE-2016-5385). The
others name another method than the one that was judged."""

_DROPPED = HOP_BY_HOP | KEYSTONE_FIELDS | _REWRITTEN | _DANGEROUS
_DROPPED_PREFIXES = (*SCOPE_PREFIXES, *FORWARDED_PREFIXES)

FOR_REWRITING = frozenset({b"accept-encoding", b"if-range", b"range"})
"""Left out where the answer is to be rewritten, so that it comes whole and not encoded; a server may always
ignore Range (RFC 9110 section 14.2)."""

_AUTHORIZATION = frozenset({b"authorization"})
_COOKIE = frozenset({b"cookie"})
_MAX_FORWARDS = frozenset({b"max-forwards"})
_NONE: frozenset[bytes] = frozenset()
PLAIN_CONNECTION = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"Close"})
"""Values of Connection that name no field."""

_BLANK = ord(" ")
_REQUEST_ID = re.compile(rb"req-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
_COMMENT = re.compile(rb"\([^()]*\)")


def request_head(
    head: RequestHead,
    route: Route,
    framing: Framing,
    *,
    token: str | None,
    service_token: str | None,
    peer: str,
    peer_trusted: bool,
    pseudonym: str,
    request_id: str,
    identity_encoding: bool,
    subject: str | None = None,
    via_depth: int = VIA_DEPTH,
) -> bytes:
    """The complete head for the cloud of `route`, with the empty line.

    `framing` is how the body will be delimited. The tokens go out as given and are left out where None,
    whatever the client sent. `peer` is the client's address, itself a proxy whose X-Forwarded-For is believed
    if `peer_trusted`. `pseudonym` stands for this instance in Via. `request_id` goes out unless the client
    sent a good one of its own.

    Raises:
        LoopDetected: the request was here before, or passed `via_depth` proxies already.
        TokenRefused: a token cannot be a field's value.
    """
    lines = [
        b"%b %b HTTP/1.1" % (head.method.encode("ascii"), _one_word(route.target)),
        _host_line(route.endpoint.origin),
        *_fields(head, _also_dropped(head, route, identity_encoding=identity_encoding)),
    ]
    if token is not None:
        lines.append(b"X-Auth-Token: " + _written(token))
    if service_token is not None:
        lines.append(b"X-Service-Token: " + _written(service_token))
    if subject is not None:
        lines.append(b"X-Subject-Token: " + _written(subject))
    if identity_encoding:
        lines.append(b"Accept-Encoding: identity")
    if head.method == "OPTIONS":
        lines += _max_forwards(head)
    lines.append(b"Via: " + _via(head, pseudonym.encode("ascii"), via_depth))
    lines.append(b"X-Forwarded-For: " + _forwarded_for(head, peer, trusted=peer_trusted))
    lines.append(b"X-Openstack-Request-Id: " + (_own_request_id(head) or request_id.encode("ascii")))
    lines += _framing(framing)
    return join(lines)


@lru_cache(maxsize=4096)
def _host_line(origin: Origin) -> bytes:
    return b"Host: " + origin.authority.encode("ascii")


def client_request_id(head: RequestHead) -> str | None:
    """The request id that the client gave, if it has OpenStack's form (rule G12)."""
    known = _own_request_id(head)
    return None if known is None else known.decode("ascii")


def _own_request_id(head: RequestHead) -> bytes | None:
    known = head.index.get(b"x-openstack-request-id")
    return known if known is not None and _REQUEST_ID.match(known) else None


def _fields(head: RequestHead, also: frozenset[bytes]) -> Iterable[bytes]:
    """What is passed on of the client's own fields, in its order."""
    places = head.memo.get(also)
    if places is None:
        # It depends on names alone, which all heads of this shape have in common.
        names = enumerate(name for name, _ in head.fields)
        places = head.memo[also] = [
            place for place, name in names if passes(name) and name.lower() not in also
        ]
    return map(b": ".join, map(head.fields.__getitem__, places))


@lru_cache(maxsize=1024)
def passes(name: bytes) -> bool:
    """Whether a field of a client's is passed on, as far as its name tells."""
    # Remembered by the name as written: clients send the same few dozen.
    lower = name.lower()
    return lower not in _DROPPED and not lower.startswith(_DROPPED_PREFIXES)


def _also_dropped(head: RequestHead, route: Route, *, identity_encoding: bool) -> frozenset[bytes]:
    """What this request loses besides what every request loses."""
    index = head.index
    also = FOR_REWRITING if identity_encoding else _NONE
    if b"authorization" in index and route.home != route.cloud:
        # A Keystone token as an OAuth 2.0 bearer token (keystonemiddleware's oauth2_token filter) would reach
        # a cloud that may not hold it, and in no form that could be closed.
        also |= _AUTHORIZATION
    if b"cookie" in index and not keeps_cookies(route):
        also |= _COOKIE
    if b"max-forwards" in index and head.method == "OPTIONS":
        also |= _MAX_FORWARDS
    named = named_by_connection(head)
    return also | named if named else also


def named_by_connection(head: RequestHead | ResponseHead) -> frozenset[bytes]:
    """What Connection names (rule C1); nearly always it is there once and says keep-alive."""
    connection = head.index.get(b"connection")
    if connection is None or (connection in PLAIN_CONNECTION and len(head.index) == len(head.fields)):
        return _NONE
    return connection_named(head.fields)


def keeps_cookies(route: Route) -> bool:
    """Whether cookies pass between this client and this cloud.

    A browser returns a cookie to the host that set it, and behind one host of ours stand many clouds: passed
    on, the session that one cloud's Keystone opened (mod_auth_openidc, in web single sign-on) would be shown
    to every other one. So cookies pass only on a listener beside a cloud, and only to and from that cloud.
    """
    return route.facade.listener.cloud == route.endpoint.cloud


def _written(token: str) -> bytes:
    try:
        return token.encode("latin-1")
    except UnicodeEncodeError:
        raise TokenRefused("The token holds characters that no token has.") from None


def _one_word(target: bytes) -> bytes:
    """A blank would end the target and let the rest be read as the version."""
    if _BLANK in target or not target:
        raise InternalError("The request target cannot be sent.")
    return target


def _max_forwards(head: RequestHead) -> list[bytes]:
    """RFC 9110 section 7.6.2: one less; a request that has none left is answered before it comes here."""
    left = head.index.get(b"max-forwards", b"")
    return [b"Max-Forwards: %d" % (int(left) - 1)] if left.isdigit() and int(left) > 0 else []


def _via(head: RequestHead, pseudonym: bytes, depth: int) -> bytes:
    """RFC 9110 section 7.6.3. The version is the one the client spoke."""
    own = b"1.%d %b" % (head.minor, pseudonym)
    if b"via" not in head.index:
        return own
    before = b", ".join(value for name, value in head.fields if name.lower() == b"via")
    passed = [one.split() for one in _without_comments(before).split(b",") if one.strip()]
    if any(pseudonym in one[1:2] for one in passed):
        raise LoopDetected("This request has been here before: a cloud's address leads back to this proxy.")
    if len(passed) >= depth:
        raise LoopDetected(f"This request has passed {len(passed)} proxies; {depth} are allowed.")
    return before + b", " + own if passed else own


def _without_comments(via: bytes) -> bytes:
    """Comments may hold commas, and nest."""
    while (shorter := _COMMENT.sub(b"", via)) != via:
        via = shorter
    return via


def _forwarded_for(head: RequestHead, peer: str, *, trusted: bool) -> bytes:
    """Rule C8: the addresses before the peer's only if the peer is one of our own proxies."""
    # An address of the link may come with its interface (fe80::1%eth0), which means nothing elsewhere.
    address = peer.partition("%")[0].encode("ascii")
    if not trusted or b"x-forwarded-for" not in head.index:
        return address
    before = [value for name, value in head.fields if name.lower() == b"x-forwarded-for" and value]
    return b", ".join([*before, address])


def _framing(framing: Framing) -> tuple[bytes, ...]:
    match framing:
        case NoBody():
            return ()
        case Length(size):
            return (b"Content-Length: %d" % size,)
        case Chunked():
            return (b"Transfer-Encoding: chunked",)
        case _:
            raise InternalError("A request's body cannot end with its connection.")
