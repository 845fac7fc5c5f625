"""Keeps the links of a cloud that is not the token's home from leading a client past the proxy.

Clients follow links and redirects with their token, the sealed one, whose inside the home's Keystone takes.
A cloud that may never hold it would be sent it by a `next` of its own making, or of a public address that
nobody told the proxy of. So what is no link of the cloud's that the proxy knows, and does not stay where it
is, leads to the service it came from, through the proxy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oidproxy.rewrite.links import UNDECIDED, Links, unescaped
from oidproxy.rewrite.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.clouds.registry import Endpoint

LOOKED_AT = 512
"""Bytes of a link that are looked at; one whose origin is longer is not worth keeping."""

_END = b"\0"
"""Stands behind a whole text: neither a field nor a string of JSON can hold one as it is."""

# What urljoin and clients resolve to where they are: `//host` and `/\host` would leave, as would a blank or a
# control character before either, which Python's urlsplit takes out.
_STAYS = re.compile(rb"/(?=[!-.0-\[\]-~\0])|[?#\0]|[A-Za-z0-9_.~%-]+[/?#\0]")
# Only what surely ends an origin may follow: it is cut off, and what is behind must not become part of ours.
_ORIGIN = re.compile(rb"https?://[A-Za-z0-9._~\[\]:-]+(?=[/?#\0])", re.IGNORECASE)
_ENDS = (b"/", b"?", b"#", _END)
_GUESSED_FROM = 4
_MARKS = (b"\xff\xfe", b"\xfe\xff")
_IN_LINK_FIELD = re.compile(rb"<([^<>]*)>")


class GuardedLinks(Links):
    """The links of an answer that this endpoint of another cloud gave."""

    __slots__ = ("_endpoint", "_home", "_quoted_home")

    guarded = True

    def __init__(self, links: Links, endpoint: Endpoint) -> None:
        self._share(links)
        self._endpoint = endpoint
        self._home, self._quoted_home = links.url_of(endpoint.service_type)

    def __bool__(self) -> bool:
        """Always: what is not known has to be looked for."""
        return True

    def taught(self, service_type: str, learned: Iterable[str]) -> Links:
        """The same, and further bases of a service."""
        return GuardedLinks(super().taught(service_type, learned), self._endpoint)

    def rewrite(self, url: bytes) -> bytes:
        """A whole URL; one that would lead past the proxy leads to the service itself."""
        known = super().rewrite(url)
        if known is not url:
            return known
        cut = 0 if _END in url else self._cut(url + _END)
        if cut is None:
            return url
        return self._home + url[cut:] if cut else self._home + b"/" + url

    def link_field(self, value: bytes) -> bytes:
        """The value of a Link field; nothing where a lenient reader could see another URL in it."""
        count = len(_IN_LINK_FIELD.findall(value))
        if not value.startswith(b"<") or not count == value.count(b"<") == value.count(b">"):
            return b""
        return super().link_field(value)

    def absent(self, data: bytes) -> bool:  # noqa: ARG002 - every piece is walked
        """Never: a link that leads elsewhere may begin with anything."""
        return False

    def leads_away(self, url: bytes) -> bool:
        """Whether a URL that is not this cloud's would lead past the proxy."""
        return _END in url or self._cut(url + _END) is not None

    def match(self, buffer: bytes, start: int) -> tuple[int, bytes] | None:
        """As `Links.match`, for a string that is a link."""
        known = super().match(buffer, start)
        if known is not None:
            return known
        end = buffer.find(b'"', start, start + LOOKED_AT)
        if end < 0 and len(buffer) < start + LOOKED_AT:
            return UNDECIDED
        head = buffer[start : end if end >= 0 else start + LOOKED_AT]
        text, ends = unescaped(head) if b"\\" in head else (head, range(len(head) + 1))
        # A quote may be an escaped one; then the string goes on.
        whole = end >= 0 and ends[len(text)] == len(head)
        cut = 0 if _END in text else self._cut(text + _END if whole else text)
        if cut is None:
            return None
        return (start + ends[cut], self._quoted_home) if cut else (start, self._quoted_home + b"/")

    def _cut(self, text: bytes) -> int | None:
        """How much of a URL our own replaces; 0: ours is to stand before it; None: it stays as it is."""
        if _STAYS.match(text):
            return None
        origin = _ORIGIN.match(text)
        if origin is None:
            return 0
        # The same service under a public name that is not known here usually has the same path.
        end = origin.end() + len(self._endpoint.root)
        same = text[origin.end() : end] == self._endpoint.root.encode() and text[end : end + 1] in _ENDS
        return end if same else origin.end()


def is_unreadable(document: bytes) -> bool:
    """Whether a document that begins so may be taken for UTF-16 or UTF-32."""
    return b"\0" in document[:_GUESSED_FROM] or document.startswith(_MARKS)


class GuardedScanner(Scanner):
    """Passes a document through another scanner, and nothing of it that is in UTF-16 or UTF-32.

    A scanner sees no link in those, but clients that find no charset guess them from the first four bytes, as
    RFC 4627 section 3 had it (requests, json.loads).
    """

    __slots__ = ("_begin", "_inner", "_unreadable", "learned")

    def __init__(self, inner: Scanner) -> None:
        self._inner = inner
        self._begin = b""
        self._unreadable = False
        self.learned: tuple[str, ...] = ()

    def feed(self, data: bytes) -> bytes:
        """Take the next piece and return what can be passed on now."""
        if len(self._begin) < _GUESSED_FROM:
            self._begin += data[: _GUESSED_FROM - len(self._begin)]
            self._unreadable = is_unreadable(self._begin)
        return b"" if self._unreadable else self._inner.feed(data)

    def finish(self) -> bytes:
        """The document is over: whatever was held back."""
        if self._unreadable:
            return b""
        rest = self._inner.finish()
        self.learned = self._inner.learned
        return rest
