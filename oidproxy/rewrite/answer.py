"""The head of a cloud's answer as it goes to the client, and whether its body has to be rewritten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer
from oidproxy.http.fields import HOP_BY_HOP, SCOPE_PREFIXES
from oidproxy.http.head import Chunked, Field, Framing, Length, NoBody, ResponseHead, UntilClose
from oidproxy.quickly import quickly
from oidproxy.rewrite.guard import GuardedLinks, GuardedScanner
from oidproxy.rewrite.ids import NO_IDS, Ids, Replacing
from oidproxy.rewrite.ids import rules as rules_of
from oidproxy.rewrite.lines import join
from oidproxy.rewrite.request import keeps_cookies, named_by_connection
from oidproxy.rewrite.scanner import Scanner
from oidproxy.rewrite.table import keys_for
from oidproxy.rewrite.versions import VersionScanner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.rewrite.links import Links
    from oidproxy.rewrite.rules import RuleSet
    from oidproxy.routing.decision import Route

# Alt-Svc names another place for *our* origin (RFC 7838 section 2): a client that believed it would leave the
# proxy.
_DROPPED = HOP_BY_HOP | {b"alt-svc", b"content-length"}
_COOKIES = frozenset({b"set-cookie"})
OF_THE_BYTES = frozenset({b"accept-ranges", b"content-digest", b"content-md5", b"digest", b"repr-digest"})
"""What a rewritten body no longer has (RFC 9530 section 2)."""
_NONE: frozenset[bytes] = frozenset()

URLS = frozenset({b"content-location", b"link", b"location", b"x-storage-url"})
"""Fields whose values are links."""
_CHARSET = re.compile(rb"charset(?!\s*=\s*\"?(?:utf-?8|us-ascii|iso-8859-1)\"?\s*(?:;|\Z))", re.IGNORECASE)
_PARTIAL = 206
_NOT_MODIFIED = 304


@quickly
@dataclass(frozen=True, slots=True)
class RewrittenAnswer:
    """An answer ready to be passed on. `framing` is how the client will see the body delimited."""

    status: int
    reason: bytes
    fields: tuple[Field, ...]
    """Without framing; an answer to HEAD and a 304 keep the length they speak of."""
    framing: Framing
    scanner: Scanner | None = None
    """What every piece of the body has to pass."""
    client_minor: int = 1

    @property
    def until_close(self) -> bool:
        """Whether the body's end can be told only by closing the connection."""
        return isinstance(self.framing, UntilClose)

    def head_bytes(self, extra_fields: Iterable[Field] = (), *, close: bool) -> bytes:
        """Status line, fields, framing and the empty line.

        `close` says that the connection ends with this answer.

        Raises:
            InternalError: one of `extra_fields` holds a line break.
        """
        lines = [b"HTTP/1.1 %d %b" % (self.status, self.reason)]
        lines += map(b": ".join, self.fields)
        lines += map(b": ".join, extra_fields)
        match self.framing:
            case Length(size):
                lines.append(b"Content-Length: %d" % size)
            case Chunked():
                lines.append(b"Transfer-Encoding: chunked")
        if close or self.until_close:
            lines.append(b"Connection: close")
        elif self.client_minor == 0:
            # A client of HTTP/1.0 takes silence for the end (RFC 9112 appendix C.2.2).
            lines.append(b"Connection: keep-alive")
        return join(lines)


def answer(
    head: ResponseHead,
    route: Route,
    method: str,
    links: Links | None,
    *,
    client_minor: int = 1,
    ids: Ids = NO_IDS,
) -> RewrittenAnswer:
    """What the client gets of this answer to `method`.

    `links` are the cloud's; None leaves every URL as it is. `client_minor` is the client's version of HTTP/1.
    `ids` are those that the client knows by other names.
    No Via is added (a gateway need not, RFC 9110 section 7.6.3), no Server, no Content-Type.

    Raises:
        BadAnswer: the body would have to be rewritten, but is encoded (rule C8c).
    """
    abroad = route.home != route.cloud
    if links is not None and abroad:
        links = GuardedLinks(links, route.endpoint)
    rules = _rules_abroad(head, route) if abroad and links else _rules(head, route, links)
    if ids and is_json(head) and head.status != _PARTIAL and not (rules and rules.version_document):
        rules = rules_of(tuple(dict.fromkeys((*(rules.paths if rules else ()), *ids.paths))))
    bodiless = _is_bodiless(head.framing)
    if rules is not None and not bodiless and is_encoded(head):
        raise BadAnswer(
            f"{route.cloud} compressed an answer that was asked for as it is.", cloud=route.cloud, sent=True
        )
    fields = _fields(head, _also_dropped(head, route, rewritten=rules is not None))
    if rules is None and b"content-length" in head.index and _speaks_of_length(head, method):
        fields.append((b"Content-Length", head.index[b"content-length"]))
    if links is not None and not head.index.keys().isdisjoint(URLS):
        fields = [_with_links(field, route, links) for field in fields]
        if ids:
            fields = [_with_ids(field, ids) for field in fields]
    scanner = None if rules is None or bodiless else _scanner(links, rules, route, ids)
    if scanner is not None and abroad:
        scanner = GuardedScanner(scanner)
    framing = head.framing if bodiless else _client_framing(head.framing, scanner, client_minor)
    return RewrittenAnswer(head.status, head.reason, tuple(fields), framing, scanner, client_minor)


def informational_head(head: ResponseHead) -> bytes:
    """A 1xx as it is passed on (rule C13)."""
    lines = [b"HTTP/1.1 %d %b" % (head.status, head.reason)]
    lines += map(b": ".join, _fields(head, named_by_connection(head)))
    return join(lines)


def _fields(head: ResponseHead, also: frozenset[bytes]) -> list[Field]:
    places = head.memo.get(also)
    if places is None:
        # It depends on names alone, which all heads of this shape have in common.
        names = enumerate(name for name, _ in head.fields)
        places = head.memo[also] = [
            place for place, name in names if passes(name) and name.lower() not in also
        ]
    return list(map(head.fields.__getitem__, places))


@lru_cache(maxsize=1024)
def passes(name: bytes) -> bool:
    """Whether a field of an answer is passed on, as far as its name tells."""
    lower = name.lower()
    return lower not in _DROPPED and not lower.startswith(SCOPE_PREFIXES)


def _speaks_of_length(head: ResponseHead, method: str) -> bool:
    """HEAD and 304 tell of a length that no body shows (RFC 9110 section 8.6)."""
    return method == "HEAD" or head.status == _NOT_MODIFIED


def _also_dropped(head: ResponseHead, route: Route, *, rewritten: bool) -> frozenset[bytes]:
    also = OF_THE_BYTES if rewritten else _NONE
    if b"set-cookie" in head.index and not keeps_cookies(route):
        also |= _COOKIES
    named = named_by_connection(head)
    return also | named if named else also


def _rules(head: ResponseHead, route: Route, links: Links | None) -> RuleSet | None:
    """Where the links are in this answer's body, if it is one to rewrite."""
    if not links or head.status == _PARTIAL:
        return None
    return keys_for(route.service_type, route.rest) if is_json(head) else None


def _is_bodiless(framing: Framing) -> bool:
    return isinstance(framing, NoBody) or (isinstance(framing, Length) and framing.size == 0)


def is_json(head: ResponseHead) -> bool:
    """Whether an answer says that it is JSON."""
    content_type = head.index.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return content_type.startswith(b"application/") and content_type.endswith((b"json", b"json-home"))


def _rules_abroad(head: ResponseHead, route: Route) -> RuleSet | None:
    """The same for a cloud that is not the token's home. Clients read JSON under any Content-Type.

    Raises:
        BadAnswer: it is JSON in characters that would hide its links.
    """
    rules = keys_for(route.service_type, route.rest, abroad=True)
    if rules is not None and hides_links(head):
        raise BadAnswer(
            f"{route.cloud} sent an answer in an unusual character set.", cloud=route.cloud, sent=True
        )
    return rules


def hides_links(head: ResponseHead) -> bool:
    """Whether an answer is in characters in which no link would be seen."""
    return _CHARSET.search(head.index.get(b"content-type", b"")) is not None


def is_encoded(head: ResponseHead) -> bool:
    """Whether an answer's body is compressed, so that nothing in it can be found."""
    return head.index.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}


def _scanner(links: Links | None, rules: RuleSet, route: Route, ids: Ids) -> Scanner | None:
    if rules.version_document:
        return VersionScanner(links, rules, route.service_type) if links is not None else None
    if ids:
        return Scanner(Replacing(ids, links), rules)
    return Scanner(links, rules) if links is not None else None


def _client_framing(framing: Framing, scanner: Scanner | None, client_minor: int) -> Framing:
    if isinstance(framing, Length) and scanner is None:
        return framing
    # Chunks are not known to HTTP/1.0 (RFC 9112 section 7.1); its bodies end with the connection.
    return Chunked() if client_minor else UntilClose()


def _with_ids(field: Field, ids: Ids) -> Field:
    name, value = field
    return (name, Replacing(ids).in_url(value)) if name.lower() in URLS else field


def _with_links(field: Field, route: Route, links: Links) -> Field:
    name, value = field
    match name.lower():
        case b"location" | b"content-location":
            return name, links.location(value, route.endpoint)
        case b"link":
            return name, links.link_field(value)
        case b"x-storage-url":
            return name, links.rewrite(value)
    return field
