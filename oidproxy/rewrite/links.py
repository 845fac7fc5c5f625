"""Maps the URLs of one cloud to the URLs under which one client reaches the same things through the proxy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from oidproxy.rewrite.bases import Bases

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oidproxy.clouds.registry import Endpoint, Registry
    from oidproxy.routing.decision import Facade

_ESCAPED = 6
"""Bytes that one character may take in a JSON string (`\\u002f`)."""

UNDECIDED = (-1, b"")
"""What `Links.match` says where more of the string is needed."""

_BACKSLASH = ord("\\")
_LINK = re.compile(rb"<([^<>]*)>")
_CHARACTER = re.compile(rb'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])|[^"\\]')
_HALF_ESCAPE = re.compile(rb"(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z")


class Links:
    """Never changed once made. `bases` are those of one cloud; `facade` is how the client sees the proxy."""

    __slots__ = ("_begins", "_changes", "_facade", "_firsts", "_quoted", "_targets", "bases")

    def __init__(self, bases: Bases, facade: Facade) -> None:
        self.bases = bases
        self._facade = facade
        urls = {service: facade.base(service).encode() for service in set(bases.services.values())}
        quoted = {service: _quoted(url) for service, url in urls.items()}
        self._targets = {base: urls[service] for base, service in bases.services.items()}
        self._quoted = {base: quoted[service] for base, service in bases.services.items()}
        self._begins = {base: b'"' + url for base, url in self._quoted.items()}
        self._firsts = _firsts(bases)
        self._changes = any(base != target for base, target in self._targets.items())

    @classmethod
    def of(
        cls, registry: Registry, cloud: str, facade: Facade, learned: Iterable[tuple[str, str]] = ()
    ) -> Links:
        """The links of a cloud; `learned` are further (base, official type) of it."""
        return cls(Bases.of(registry, cloud, learned), facade)

    def __bool__(self) -> bool:
        """Whether there is anything to rewrite at all."""
        return self._changes

    def taught(self, service_type: str, learned: Iterable[str]) -> Links:
        """The same, and further bases of a service."""
        return Links(self.bases.and_also(service_type, learned), self._facade)

    def url_of(self, service_type: str) -> tuple[bytes, bytes]:
        """The client's URL of a service of this cloud, and the same inside of a JSON string."""
        url = self._facade.base(service_type).encode()
        return url, _quoted(url)

    def _share(self, other: Links) -> None:
        """Be the same as another one."""
        self.bases = other.bases
        self._facade = other._facade
        self._targets, self._quoted = other._targets, other._quoted
        self._begins, self._firsts = other._begins, other._firsts
        self._changes = other._changes

    def rewrite(self, url: bytes) -> bytes:
        """A whole URL; one that is not this cloud's comes back as it is."""
        found = self.bases.begins.match(url)
        return url if found is None else self._targets[found[0]] + url[found.end() :]

    def location(self, value: bytes, endpoint: Endpoint) -> bytes:
        """A Location: absolute, or a path on the endpoint's own host (RFC 9110 section 10.2.2).

        A path is meant from the host's root, which for a client is the proxy's: resolved here, it keeps its
        service and scope. A path outside the endpoint's root, or a relative one, passes as it is.
        """
        if value.startswith(b"/") and not value.startswith(b"//"):
            resolved = str(endpoint.origin).encode() + value
            rewritten = self.rewrite(resolved)
            return value if rewritten == resolved else rewritten
        return self.rewrite(value)

    def link_field(self, value: bytes) -> bytes:
        """The value of a Link field: `<URL>; rel="next", <URL>; …` (RFC 8288)."""
        return _LINK.sub(lambda found: b"<" + self.rewrite(found[1]) + b">", value)

    guarded = False
    """Whether links that are not this cloud's are replaced, too."""

    def leads_away(self, url: bytes) -> bool:  # noqa: ARG002 - see GuardedLinks
        """Whether a URL that is not this cloud's has to be replaced."""
        return False

    def quoted(self, bases: Sequence[bytes]) -> list[bytes]:
        """What strings of JSON begin with instead of these bases, with the quote before it."""
        return list(map(self._begins.__getitem__, bases))

    # For the scanner, on strings of a JSON document.

    def absent(self, data: bytes) -> bool:
        """Whether a piece of JSON surely holds no link, nor the beginning of one."""
        if data.find(b"://") >= 0:
            return False
        if _BACKSLASH in data and (data.find(b"\\/") >= 0 or data.find(b"\\u00") >= 0):
            return False
        tail = data[data.rfind(b'"') + 1 :]
        if len(tail) > self.bases.longest * _ESCAPED or 0 < len(tail) == len(data):
            # Too long; or the inside of a string whose beginning came, and was looked at, before.
            return True
        return _BACKSLASH not in tail and not self._may_begin(tail)

    def match(self, buffer: bytes, start: int) -> tuple[int, bytes] | None:
        """What a string whose first character is at `start` begins with: (end of the base, what replaces it).

        None if it is no link of this cloud; the end is negative if the buffer ends before that is known.
        """
        end = buffer.find(b'"', start, start + self.bases.longest + 1)
        head = buffer[start:end] if end >= 0 else buffer[start : start + self.bases.longest + 1]
        if _BACKSLASH in head:
            return self._match_escaped(buffer, start)
        if end < 0 and start + len(head) == len(buffer) and self._may_begin(head):
            return UNDECIDED
        found = self.bases.begins.match(head)
        return None if found is None else (start + found.end(), self._quoted[found[0]])

    def _may_begin(self, text: bytes) -> bool:
        # Nearly always the text is the end of a document, and a base begins with its scheme.
        return text[:1] in self._firsts and any(base.startswith(text) for base in self._targets)

    def _match_escaped(self, buffer: bytes, start: int) -> tuple[int, bytes] | None:
        """The same for a string with escapes, as some encoders write slashes."""
        head = buffer[start : start + (self.bases.longest + 1) * _ESCAPED]
        text, ends = unescaped(head)
        cut = start + len(head) == len(buffer) and _HALF_ESCAPE.match(head, ends[-1]) is not None
        if cut and self._may_begin(text):
            return UNDECIDED
        found = self.bases.begins.match(text)
        return None if found is None else (start + ends[found.end()], self._quoted[found[0]])


def _firsts(bases: Bases) -> frozenset[bytes]:
    """What a text begins with that may be the beginning of a base."""
    return frozenset({b"", *(base[:1] for base in bases.services)})


def unescaped(head: bytes) -> tuple[bytes, list[int]]:
    """The text of a string's beginning, and where in `head` each of its characters begins."""
    text = bytearray()
    ends = [0]
    while (found := _CHARACTER.match(head, ends[-1])) is not None:
        text += _character(found[0])
        ends.append(found.end())
    return bytes(text), ends


def _character(token: bytes) -> bytes:
    """One byte for each character; only ASCII can be part of a base, so any other byte will do."""
    if len(token) == 1:
        return token
    character = str(json.loads(b'"' + token + b'"'))
    return character.encode() if character.isascii() else b"\xff"


def _quoted(url: bytes) -> bytes:
    return json.dumps(url.decode("latin-1"), ensure_ascii=False)[1:-1].encode("latin-1")
