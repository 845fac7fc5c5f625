"""What the URLs of one cloud's services begin with, as far as the proxy knows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.clouds.registry import Endpoint, Listener, Origin, Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - compared with, not bound to
_NEVER = re.compile(rb"(?!)")


@dataclass(frozen=True, slots=True)
class Bases:
    """A cloud's URLs up to the part that the proxy serves under `/<service>`."""

    services: Mapping[bytes, str]
    """Base without a slash at its end -> official type, longest first."""
    begins: re.Pattern[bytes] = field(repr=False, compare=False)
    """Matches the base that a URL begins with."""
    inside: re.Pattern[bytes] = field(repr=False, compare=False)
    """Finds every base that a string of a JSON document begins with, as long as nothing in it is escaped."""
    longest: int
    """Length of the longest base in bytes."""

    @classmethod
    def of(cls, registry: Registry, cloud: str, learned: Iterable[tuple[str, str]] = ()) -> Bases:
        """Those of every endpoint of every interface, of our own addresses beside the cloud, and `learned`
        ones.

        A cloud whose own catalog holds our addresses puts them into its links, too. `learned` are (base,
        official type); what is configured precedes them.
        """
        declared = registry.clouds[cloud].endpoints if cloud in registry.clouds else ()
        return cls.made([*_of_endpoints(declared), *_of_listeners(registry.listeners, cloud), *learned])

    @classmethod
    def made(cls, known: Iterable[tuple[str, str]]) -> Bases:
        """Of (base, official type); of two types for one base the first counts."""
        services: dict[bytes, str] = {}
        for base, service_type in known:
            services.setdefault(base.encode(), service_type)
        # Longest first, so that http://cloud/volume does not take what belongs to http://cloud/volume/admin;
        # and a base ends where a path, a query, a fragment or the URL ends: :8774 is not the beginning of
        # :87745.
        ordered = sorted(services, key=lambda base: (-len(base), base))
        bases = b"|".join(map(re.escape, ordered))
        return cls(
            services={base: services[base] for base in ordered},
            begins=re.compile(rb"(?:%b)(?=[/?#]|\Z)" % bases) if ordered else _NEVER,
            inside=re.compile(rb'"(%b)(?=[/?#"])' % bases) if ordered else _NEVER,
            longest=len(ordered[0]) if ordered else 0,
        )

    def and_also(self, service_type: str, learned: Iterable[str]) -> Bases:
        """The same, and further ones of a service."""
        known = [(base.decode(), service) for base, service in self.services.items()]
        return Bases.made([*known, *((base, service_type) for base in learned)])


def _of_endpoints(endpoints: Iterable[Endpoint]) -> Iterator[tuple[str, str]]:
    # A service found in two regions, or under two catalog types, is one service of the proxy's.
    for endpoint in sorted(endpoints, key=lambda one: one.interface != "public"):
        for origin in spellings(endpoint.origin):
            yield origin + endpoint.root, endpoint.service_type


def _of_listeners(listeners: Iterable[Listener], cloud: str) -> Iterator[tuple[str, str]]:
    for listener in listeners:
        if listener.cloud == cloud and listener.host not in _EVERY_ADDRESS:
            for service_type, port in listener.ports.items():
                yield str(Origin(listener.scheme, listener.host, port)), service_type


def spellings(origin: Origin) -> tuple[str, ...]:
    """An origin, also with the port that its scheme implies (RFC 3986 section 6.2.3: both are the same)."""
    explicit = (
        f"{origin.scheme}://[{origin.host}]" if ":" in origin.host else f"{origin.scheme}://{origin.host}"
    )
    return tuple(dict.fromkeys((str(origin), f"{explicit}:{origin.port}")))
