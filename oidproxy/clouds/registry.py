"""What the operator declared, as one immutable value that is swapped whole on reload.

Built by `clouds.build` from a configuration; a lookup costs the same with two clouds and with ten thousand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.limits import Limits
from oidproxy.scope.tree import NO_SCOPE, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.credentials import Credential
    from oidproxy.clouds.rtt import RoundTrips

EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an endpoint listens. `scheme` is http or https; `host` is without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of Host: the port only where it is not the scheme's own (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service of one cloud in one region.

    A catalog URL is cut before its first `/v<digit>` segment: what stands before is `root`, the rest
    `suffix`, which may hold `%(project_id)s`. So `/<service>/<rest>` at the proxy means
    `<origin><root>/<rest>`.
    """

    cloud: str
    service_type: str
    """Official type of the service-types authority."""
    origin: Origin
    root: str = ""
    suffix: str = ""
    region: str = "RegionOne"
    interface: str = "public"
    catalog_type: str = ""
    """The type as this cloud's own catalog spells it (`volumev3`); empty means the official type."""
    catalog_name: str = ""
    source: str = "given"
    """`given`, `upstream` (standard port of the cloud's address) or `learned` (from its own catalog)."""

    @property
    def base(self) -> str:
        """The cloud's own URL of what the proxy serves under `/<service>`."""
        return f"{self.origin}{self.root}"

    def catalog_url(self, project_id: str) -> str:
        """The URL as the cloud's own catalog would show it to this project."""
        return self.base + self.suffix.replace("%(project_id)s", project_id)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service's user at its home: the only tokens whose `service` role is believed abroad."""

    user: str
    project: str
    domain: str = "Default"
    """Name of the domain of both. Any domain's owner may call a user `nova` and a project `service`."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What a cloud's operator grants to the users of one other cloud (identity.md, Trust)."""

    roles: frozenset[str] = frozenset()
    map: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    projects: Mapping[str, str] | None = None
    """Home project id -> project id here (the same unless exchanged); None admits any."""
    read_only: bool = False
    services: tuple[ServiceAccount, ...] = ()


@dataclass(frozen=True, slots=True)
class Cloud:
    """One OpenStack cloud."""

    name: str
    auth_url: str
    position: int
    """Its place in the order declared."""
    endpoints: tuple[Endpoint, ...]
    region: str = "RegionOne"
    groups: tuple[str, ...] = ()
    admits: Mapping[str, Admission] = field(default_factory=lambda: MappingProxyType({}))
    cacert: str | None = None
    """PEM text of the authorities that this cloud's certificates are verified by; None means the system's."""
    insecure: bool = False
    shares: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Other cloud -> service types whose infrastructure both share."""
    exchange: tuple[str, ...] | None = None
    """Its services ask their own Keystone, and the tokens of others are exchanged in one of these ways, in
    order of preference; None: its services ask the proxy."""
    mapped: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    """Home -> home's project id -> credentials here (`Registry.credentials`), in order of preference."""
    service_accounts: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Home -> a credential of a service there, which asks that home about tokens that have ended."""
    unlearned: str = ""
    """Why its endpoints could not be learned: what it lacks is then unknown, not absent. Empty if they
    could."""

    @property
    def direct(self) -> bool:
        """Whether its services ask their own Keystone, and know nothing of this proxy."""
        return self.exchange is not None

    @property
    def regions(self) -> tuple[str, ...]:
        """Its regions, its own first."""
        return tuple(dict.fromkeys((self.region, *(endpoint.region for endpoint in self.endpoints))))


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """Paths of a listener's certificate chain and key (PEM)."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Listener:
    """An address the proxy serves on.

    A gateway listener has one `port` and finds the service in the path. A listener beside a cloud has `cloud`
    and one port per service (`ports`, official type -> port); it may have both.
    """

    host: str
    port: int | None = None
    ports: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    cloud: str | None = None
    scope: Scope = NO_SCOPE
    tls: ListenerTls | None = None

    @property
    def scheme(self) -> str:
        """What its URLs begin with."""
        return "https" if self.tls else "http"


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin listener; `token` opens what changes something."""

    host: str
    port: int
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """Where and how recordings are made."""

    folder: str
    """Each recording has a folder of its own in it."""
    on: bool = False
    """From the start; otherwise when the admin listener says so."""
    bodies: bool = False
    size: int = 1024 * 1024 * 1024
    """Bytes that all recordings may take together."""
    file: int = 64 * 1024 * 1024
    """… and one file of one, about."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The whole configuration."""

    clouds: Mapping[str, Cloud]
    """By name, in the order declared."""
    groups: Mapping[str, tuple[str, ...]]
    """Group -> its clouds, in the order declared."""
    local: str
    listeners: tuple[Listener, ...]
    rtt: RoundTrips
    limits: Limits = field(default_factory=Limits)
    scope: Scope = NO_SCOPE
    require_scope: bool = False
    fleet_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """64-byte keys; the first closes, all open."""
    foreign_calls: frozenset[str] = frozenset()
    """Rows of `tokens.audience` beyond those that always hold: what services may do at another cloud."""
    trusted_proxies: tuple[str, ...] = ()
    admin: Admin | None = None
    store: str = field(default="", repr=False)
    """The file of the state that all workers share, or a server's URL, which may hold a password; empty: a
    file of each run's own."""
    record: Record | None = None
    credentials: Mapping[str, Credential] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Entry of clouds.yaml -> what signs in with it; those that `mapped` and `service_accounts` name."""
    service_types: frozenset[str] = frozenset()
    """Every official type that at least one cloud serves."""
    index: Mapping[tuple[str, str], tuple[Endpoint, ...]] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    """(cloud, official type) -> its public endpoints, the cloud's own region first."""

    def endpoint(self, cloud: str, service_type: str, region: str | None = None) -> Endpoint | None:
        """The endpoint that serves this type in this cloud, in this region where one is named."""
        for endpoint in self.index.get((cloud, service_type), ()):
            if region is None or endpoint.region == region:
                return endpoint
        return None

    def round_trip_us(self, a: str, b: str) -> int:
        """The round-trip time between two clouds in microseconds, by their own entries or their groups'."""
        first, second = self.clouds.get(a), self.clouds.get(b)
        return self.rtt.round_trip_us(a, b, first.groups if first else (), second.groups if second else ())
