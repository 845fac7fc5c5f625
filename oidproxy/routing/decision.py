"""What routing decides: values that say where a request goes and why, for the rooms below to carry out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from oidproxy.clouds.registry import Endpoint, Listener, Origin, Registry
from oidproxy.quickly import quickly
from oidproxy.routing.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.plan import One, Plan
    from oidproxy.errors import OidproxyError
    from oidproxy.scope.tree import Expr, Scope
    from oidproxy.tokens.closed import Keyring
    from oidproxy.tokens.presented import Presented


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a decision may know besides the request; one immutable value, swapped whole."""

    registry: Registry
    keyring: Keyring
    serial: int = 0
    """Grows with every reload."""
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)
    """What this registry's scopes were found to mean; it saves work and never changes a decision."""


@quickly
@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a request came in."""

    listener: Listener
    port: int
    peer: str
    """The client's address, without port."""
    service_type: str | None = None
    """The official type that this port stands for; None on a gateway port."""


class Carrier(StrEnum):
    """What bound a service to its clouds, highest first (scope-language.md)."""

    HEADER = "header"
    URL = "url"
    TOKEN = "token"  # noqa: S105 - the name of a carrier
    LISTENER = "listener"
    CONFIG = "config"
    COMPUTE = "compute"
    """Placement and network follow compute."""
    HOME = "home"
    """Nothing bound it: the token's home."""
    LOCAL = "local"
    """Nothing bound it and there is no token: the listener's cloud, else the local one."""


@quickly
@dataclass(frozen=True, slots=True)
class Facade:
    """How the proxy's own URLs look to this client: catalogs and links are written in these terms."""

    scheme: str
    host: str
    """The name or address the client used, without port."""
    port: int
    listener: Listener = field(hash=False)  # its mapping of ports has no hash
    tag: str = ""
    """The URL tag of the scope that the request's URL (or, for a new token, its scope) binds; or empty."""

    def base(self, service_type: str) -> str:
        """The URL under which this client reaches a service, without a slash at its end.

        Beside a cloud and without a tag each service has its port; everywhere else it has a path.
        """
        port = self.listener.ports.get(service_type)
        if port is not None and not self.tag:
            return self._origin(port)
        scope = f"/s/{self.tag}" if self.tag else ""
        return f"{self._origin(self.port)}{scope}/{service_type}"

    def _origin(self, port: int) -> str:
        return str(Origin(self.scheme, self.host, port))


@quickly
@dataclass(frozen=True, slots=True)
class Route:
    """One request's way to one endpoint."""

    service_type: str
    endpoint: Endpoint
    target: bytes
    """What is sent upstream: the endpoint's root and the client's own bytes."""
    rest: bytes
    """The path below the service, without query: `/v2/images`."""
    home: str
    """The token's home; without a token the cloud that stands for it."""
    carrier: Carrier
    effective: Scope
    """Header over URL over token: what travels on with the token."""
    explicit: Scope
    """Header over URL alone: what a token issued now is bound to, over the presented token's own scope."""
    facade: Facade
    expr: Expr | None = None
    """What `carrier` bound the service to; None where nothing did, and `home` serves."""

    @property
    def cloud(self) -> str:
        """The cloud it goes to."""
        return self.endpoint.cloud


@quickly
@dataclass(frozen=True, slots=True)
class Forward:
    """Send it to one endpoint. `token` is X-Auth-Token, `service_token` X-Service-Token, as presented."""

    route: Route
    token: Presented | None
    service_token: Presented | None
    scoped: bool = True
    """Whether header, URL or token carry a scope. Where `require_scope` is set, a call with a token that is
    no service's own needs one; on listeners that only users reach, routing has checked that already."""
    direct: bool = False
    """Whether the cloud's services ask their own Keystone: tokens of other homes are exchanged there."""
    carried: Presented | None = None
    """The client's own token of a direct cloud."""
    body: bytes | None = field(default=None, repr=False)
    """The request's whole body, where it was read: then this goes upstream, changed or not."""
    stage: Stage | None = None
    """Where images are another cloud's, and this one's services could not fetch them from there."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Image ids of a call are those of a cloud from which the one that serves it can fetch none."""

    source: Forward
    """To the image service of the cloud that images are bound to …"""
    target: Forward
    """… and to that of the cloud that serves the call. Staging asks for paths of its own."""
    images: tuple[str, ...] = ()
    """The ids that the body names; they are brought before the call goes on."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A call that makes Keystone issue a token (`POST /v3/auth/tokens`, federation, ec2).

    `bound` is the scope that the new token is sealed with. `reauthenticates` is the closed token that asks
    for another one (identity.md, Re-authentication); then the new one leaves closed for the same audience.
    `body` is what goes upstream: the client's own bytes with the token in it opened.
    """

    route: Route
    token: Presented | None
    bound: Scope
    body: bytes = field(repr=False)
    reauthenticates: Presented | None = None
    project_id: str | None = None
    """With `reauthenticates`: the project that the body asks for, to be compared with the token's own."""
    scoped: bool = True
    """As in `Forward`."""


@dataclass(frozen=True, slots=True)
class Validate:
    """`GET` or `HEAD /v3/auth/tokens`: somebody asks who a token is."""

    route: Route
    """To the Keystone of the *subject's* home."""
    asker: Presented
    subject: Presented
    asking_cloud: str
    """The asker's home; the listener's cloud where it has one."""


@dataclass(frozen=True, slots=True)
class Revoke:
    """`DELETE /v3/auth/tokens`: goes to the subject's home, and purges what is remembered of the subject."""

    route: Route
    token: Presented
    subject: Presented


class Page(StrEnum):
    """What the proxy answers itself."""

    HEALTHCHECK = "healthcheck"
    PROFILE = "openstack-api"
    CLOUDS = "clouds"
    EXPLAIN = "explain"
    REQUESTS = "requests"
    RESOURCES = "resources"
    LOCATE = "locate"
    OPTIONS = "options"


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer here. `token` (if any) must be validated at its home before anything of a cloud is shown."""

    page: Page
    facade: Facade
    token: Presented | None = None
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse it; whatever of its body was not read is discarded."""

    error: OidproxyError


@dataclass(frozen=True, slots=True)
class ReadBody:
    """Routing has to see the body first: read it whole, at most `limit` bytes, and decide again with it."""

    limit: int


class Kind(StrEnum):
    """What a request of several clouds asks for, by method and path (scope-language: Meaning)."""

    COLLECTION = "collection"
    """GET or HEAD of a collection."""
    ITEM_READ = "item"
    """GET or HEAD of an item, or of what is below one."""
    CREATE = "create"
    """POST on a collection."""
    CHANGE = "change"
    """PUT, PATCH or an action on an item."""
    DELETE = "delete"
    """DELETE of an item."""
    DATA = "data"
    """PUT of an item's data, as Glance's `/v2/images/{id}/file`."""


@quickly
@dataclass(frozen=True, slots=True)
class Asked:
    """What of a path below a service is what: `/v2.1/<project>/servers/<id>/action`."""

    collection: bytes
    """The path of the collection, as it was asked: `/v2.1/<project>/servers`; for an item that which holds
    it."""
    name: str
    """The collection's name in its API: `servers`, `os-keypairs`."""
    item: bytes = b""
    """The item's id, percent-decoded; empty for a collection."""
    below: bytes = b""
    """The path below the item: `/action`; empty for the item itself."""


@quickly
@dataclass(frozen=True, slots=True)
class Leg:
    """One of several clouds that a request goes to."""

    one: One
    """As the plan names it."""
    forward: Forward


@dataclass(frozen=True, slots=True)
class Absent:
    """One of several clouds to which the request cannot go, and why."""

    one: One
    error: OidproxyError = field(compare=False)
    """Made anew with each decision."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Which clouds of a plan have a service, and where; the same for every request of one scope and home."""

    places: Mapping[One, Endpoint]
    """In the plan's order."""
    absent: tuple[Absent, ...] = ()
    """The others: they have no such service or may have none, or they do not admit this home's users."""
    direct: frozenset[str] = frozenset()
    """The clouds whose services ask their own Keystone."""


class Narrows(Protocol):
    """What travels with a token to one of several clouds (`routing.narrowing`)."""

    def scope(self, one: One) -> Scope:
        """The scope for this one."""
        ...


@quickly
@dataclass(frozen=True, slots=True)
class FanOut:
    """A request of several clouds. The ways to them are made one by one: often few are gone."""

    plan: Plan
    kind: Kind
    asked: Asked
    ways: Ways
    """To at least one cloud."""
    first: Forward
    """To the first of them; what is the same for all may be read there. It has no stage, and the scope of
    the whole request."""
    direct: frozenset[str] = frozenset()
    """The clouds of the plan whose services ask their own Keystone."""
    carried: Mapping[str, Presented] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """The client's own tokens of those."""
    stage: Stage | None = None
    """From where images come to those, where it is another cloud; its target is the first of the clouds."""
    images_at: Mapping[str, Endpoint] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Where the image services of those are."""
    body: bytes | None = field(default=None, repr=False)
    """The request's whole body, where it was read."""
    narrowing: Narrows | None = field(default=None, repr=False, compare=False)
    """What scope travels with the token to each; None: that of the request."""

    @property
    def ones(self) -> tuple[One, ...]:
        """The clouds that have the service and admit the user's home, in the plan's order."""
        return tuple(self.ways.places)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The ways to all of them."""
        return tuple(map(self.leg, self.ways.places))

    @property
    def absent(self) -> tuple[Absent, ...]:
        """The other clouds of the plan."""
        return self.ways.absent

    @property
    def route(self) -> Route:
        """The way to the first of the clouds."""
        return self.first.route

    @property
    def token(self) -> Presented | None:
        """X-Auth-Token as presented."""
        return self.first.token

    def leg(self, one: One, target: bytes | None = None) -> Leg:
        """The way to one of `ones`; to another path and query below the service where `target` says so."""
        first, known = self.first, self.first.route
        endpoint = self.ways.places[one]
        asked = known.target[len(known.endpoint.root.encode()) :] if target is None else target
        route = Route(
            known.service_type,
            endpoint,
            endpoint.root.encode() + asked,
            known.rest if target is None else target.partition(b"?")[0],
            known.home,
            known.carrier,
            known.effective if self.narrowing is None else self.narrowing.scope(one),
            known.explicit,
            known.facade,
            known.expr,
        )
        direct = one.cloud in self.direct
        exchanged = direct and known.home != one.cloud
        return Leg(
            one,
            Forward(
                route,
                first.token,
                first.service_token,
                first.scoped,
                direct,
                self.carried.get(one.cloud) if exchanged else None,
                None,
                self._staged(one) if direct else None,
            ),
        )

    def _staged(self, one: One) -> Stage | None:
        stage = self.stage
        place = None if stage is None else self.images_at.get(one.cloud)
        if stage is None or place is None or stage.source.route.cloud == one.cloud:
            return None
        known = stage.target
        way = replace(known.route, endpoint=place, target=place.root.encode() + b"/")
        exchanged = known.route.home != one.cloud
        carried = self.carried.get(one.cloud) if exchanged else None
        return replace(stage, target=replace(known, route=way, carried=carried))


Decision = Forward | Issue | Validate | Revoke | Answer | Refuse | ReadBody | FanOut
