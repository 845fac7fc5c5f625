"""What routing decides: values that say where a request goes and why, for the rooms below to carry out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.registry import Endpoint, Listener, Origin, Registry
from oidproxy.quickly import quickly
from oidproxy.routing.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.plan import Plan
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


@dataclass(frozen=True, slots=True)
class FanOut:
    """A plan of several clouds."""

    plan: Plan
    route: Route
    token: Presented | None
    service_token: Presented | None


Decision = Forward | Issue | Validate | Revoke | Answer | Refuse | ReadBody | FanOut
