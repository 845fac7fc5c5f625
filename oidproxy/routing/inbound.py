"""One request as routing sees it: its head, where it came in, what its path means, the scopes it carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.quickly import quickly
from oidproxy.routing.authorities import check_authority, facade
from oidproxy.routing.carriers import Carriers
from oidproxy.routing.paths import Place, locate, split_scope
from oidproxy.routing.scopes import UrlScope, header_scope, merged, url_scope
from oidproxy.scope.tree import NO_SCOPE, Scope

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry
    from oidproxy.http.head import RequestHead
    from oidproxy.routing.decision import Arrival, Facade, Snapshot
    from oidproxy.tokens.presented import Presented


@quickly
@dataclass(frozen=True, slots=True)
class Inbound:
    """What is known of a request before its tokens are opened."""

    head: RequestHead
    arrival: Arrival
    snapshot: Snapshot
    now: float
    place: Place
    header: Scope
    url: UrlScope
    explicit: Scope
    """Header over URL."""

    @property
    def registry(self) -> Registry:
        """The configuration it is served under."""
        return self.snapshot.registry

    @property
    def local(self) -> str:
        """The cloud that stands for a home where there is none: the listener's, else the local one."""
        return self.arrival.listener.cloud or self.snapshot.registry.local

    @property
    def query(self) -> bytes:
        """The query with its `?`, byte for byte; empty where there is none."""
        _, mark, query = self.head.target.partition(b"?")
        return mark + query

    def facade(self, tag: str) -> Facade:
        """Our URLs as this client sees them, bound to the scope of this tag."""
        return facade(self.head, self.arrival, tag)

    def carriers(self, token: Presented | None, *, explicit: bool = True) -> Carriers:
        """Everything that may bind a service here; without `explicit` as if header and URL said nothing."""
        return Carriers(
            home=self.local if token is None else token.home,
            has_token=token is not None,
            header=self.header if explicit else NO_SCOPE,
            url=self.url.scope if explicit else NO_SCOPE,
            token=NO_SCOPE if token is None else token.scope,
            listener=self.arrival.listener.scope,
            config=self.registry.scope,
        )


def read(head: RequestHead, arrival: Arrival, snapshot: Snapshot, now: float) -> Inbound:
    """What this head says.

    Raises:
        BadRequest: an absolute URL that is not ours.
        NoSuchPath: nothing is served under its path.
        ScopeError: its header or URL holds no scope, or one that means nothing here.
    """
    check_authority(head, arrival, snapshot.registry)
    segment, below = split_scope(head.path)
    place = locate(below, arrival, snapshot.registry, scoped=segment is not None)
    return _inbound(head, arrival, snapshot, now, place, segment=segment)


def at_place(head: RequestHead, arrival: Arrival, snapshot: Snapshot, now: float, place: Place) -> Inbound:
    """The same head, asking for this place instead of its path's. Raises ScopeError."""
    segment, _ = split_scope(head.path)
    return _inbound(head, arrival, snapshot, now, place, segment=segment)


def _inbound(
    head: RequestHead,
    arrival: Arrival,
    snapshot: Snapshot,
    now: float,
    place: Place,
    *,
    segment: bytes | None,
) -> Inbound:
    url = url_scope(segment, snapshot)
    header = header_scope(head.get(b"x-scope"), snapshot)
    explicit = merged(header, url.scope, snapshot)
    return Inbound(head, arrival, snapshot, now, place, header, url, explicit)
