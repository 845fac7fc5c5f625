"""Learns from a cloud's version documents under which URLs its services know themselves.

A service may be configured with a public URL that is not the one of its catalog (`public_endpoint`); its
links begin with that, and only its version documents tell.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.rewrite.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oidproxy.rewrite.links import Links
    from oidproxy.rewrite.rules import RuleSet

DOCUMENT_AT_MOST = 64 * 1024
"""Larger than any real version document; a longer one is rewritten as it streams, and nothing is learned."""

LEARNED_AT_MOST = 4
"""Of one document."""

KEPT_AT_MOST = 8
"""Of one service of one cloud: one that shows another URL each time must not make memory grow."""

# A catalog URL's root ends before its first /v<digit> segment; so does a link's.
_VERSIONED = re.compile(r"(https?://[^/?#\s\"\\]+(?:/[^/?#\s\"\\]+)*?)/v\d[^/?#]*(?:/|\Z)")


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned of all clouds so far; a value, so that requests under way keep theirs."""

    clouds: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Cloud -> (base, official type), as `Links.of` takes them."""

    def of(self, cloud: str) -> tuple[tuple[str, str], ...]:
        """What was learned of one cloud."""
        return self.clouds.get(cloud, ())

    def and_also(self, cloud: str, service_type: str, bases: Iterable[str]) -> Learned:
        """With what a `VersionScanner` learned; the same object if that is nothing new, or too much."""
        known = self.of(cloud)
        room = KEPT_AT_MOST - sum(service == service_type for _, service in known)
        new = [(base, service_type) for base in bases if (base, service_type) not in known][: max(room, 0)]
        return Learned({**self.clouds, cloud: (*known, *new)}) if new else self


def learn(document: bytes) -> tuple[str, ...]:
    """The bases of the `self` links of a version document; nothing if it is none."""
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return ()
    found = dict.fromkeys(base for link in _self_links(value, 0) if (base := base_of(link)))
    return tuple(found)[:LEARNED_AT_MOST]


def base_of(url: str) -> str | None:
    """What stands before the version in a URL: `https://cloud/compute` of `https://cloud/compute/v2.1/`."""
    found = _VERSIONED.match(url)
    return found[1] if found is not None and found[1].isascii() else None


def _self_links(value: object, depth: int) -> Iterator[str]:
    """Other relations point elsewhere (`describedby` to the documentation)."""
    if depth > 8:
        return
    if isinstance(value, dict):
        href = value.get("href")
        if isinstance(href, str) and value.get("rel", "self") == "self":
            yield href
        value = list(value.values())
    if isinstance(value, list):
        for below in value:
            yield from _self_links(below, depth + 1)


class VersionScanner(Scanner):
    """Rewrites a version document by its own words; held until it ends: a link's relation may follow it."""

    __slots__ = ("_given", "_held", "_rules", "_service_type", "learned")

    def __init__(self, links: Links, rules: RuleSet, service_type: str) -> None:
        super().__init__(links, rules)
        self._given = links
        self._rules = rules
        self._service_type = service_type
        self._held: bytes | None = b""
        self.learned: tuple[str, ...] = ()

    def feed(self, data: bytes) -> bytes:
        """Nothing, until the document ends or proves to be too long to be held."""
        if self._held is None:
            return super().feed(data)
        self._held += data
        if len(self._held) <= DOCUMENT_AT_MOST:
            return b""
        held, self._held = self._held, None
        return super().feed(held)

    def finish(self) -> bytes:
        """The whole document, or the end of a long one."""
        held, self._held = self._held, None
        if held is None:
            return super().finish()
        bases = learn(held)
        self.learned = tuple(one for one in bases if one.encode() not in self._given.bases.services)
        links = self._given.taught(self._service_type, self.learned) if self.learned else self._given
        scanner = Scanner(links, self._rules)
        return scanner.feed(held) + scanner.finish()
