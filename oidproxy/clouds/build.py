"""From what an operator wrote, and what clouds said of themselves, to the registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds import (
    admissions,
    catalog,
    delays,
    endpoints,
    exchanges,
    fleet,
    listening,
    overrides,
    recordings,
    scopes,
)
from oidproxy.clouds.asking import entry_of, undeclared
from oidproxy.clouds.config import CloudKeys, Config
from oidproxy.clouds.registry import Cloud, Endpoint, ListenerTls, Registry
from oidproxy.clouds.units import network
from oidproxy.scope.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from oidproxy.clouds.catalog import Learned
    from oidproxy.clouds.credentials import Credential
    from oidproxy.clouds.findings import Findings

LONGEST_NAME = 128
"""Characters in the name of a cloud or a group: names travel in tokens and URLs."""

STORE = "sqlite"
"""The scheme of a state file in `store:` …"""
SERVERS = ("redis", "rediss", "unix")
"""… and those of a Redis server, by TCP, with TLS, and at a socket."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found outside the configuration's own text, by the cloud that it belongs to."""

    entries: Sequence[str] = ()
    """The entries of clouds.yaml, in its order."""
    learned: Mapping[str, Learned] = field(default_factory=dict)
    certificates: Mapping[str, str] = field(default_factory=dict)
    """Cloud -> PEM text of its authorities."""
    tls: Mapping[int, ListenerTls] = field(default_factory=dict)
    """Position of a listener -> its certificate and key."""
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    """Entry of clouds.yaml -> what signs in with it."""
    before: Mapping[str, Cloud] = field(default_factory=dict)
    """The clouds of the registry to be replaced: one that cannot be asked now keeps its endpoints."""


def build(config: Config, found: Found, findings: Findings) -> Registry:
    """The registry; what could not be read is noted in `findings`, and stands in it as if left out."""
    names = (*config.clouds, *undeclared(config, found.entries))
    groups = _groups(config, names, findings)
    clouds = _clouds(config, names, found, findings)
    listeners = listening.listeners(config.listeners, clouds, found.tls, findings)
    admin = listening.admin(config.admin, findings)
    listening.check_admin(admin, listeners, findings)
    listening.check_beside(config.listeners, clouds, findings)
    exchanges.check_same(clouds, findings)
    indexed = _index(clouds)
    registry = Registry(
        clouds=MappingProxyType(clouds),
        groups=MappingProxyType(groups),
        local=_local(config, names, findings),
        listeners=listeners,
        rtt=delays.round_trips(config.rtt, frozenset((*clouds, *groups)), findings),
        limits=overrides.limits(config.limits, findings),
        scope=scopes.scope_text(config.scope, ("scope",), findings),
        require_scope=config.require_scope,
        fleet_keys=_fleet_keys(config, clouds, findings),
        foreign_calls=admissions.foreign_calls(config.foreign_calls, findings),
        trusted_proxies=_trusted(config, findings),
        admin=admin,
        store=_store(config, findings),
        record=recordings.record(config.record, findings),
        credentials=MappingProxyType(dict(found.credentials)),
        service_types=frozenset(service_type for _, service_type in indexed),
        index=MappingProxyType(indexed),
    )
    _check_scopes(registry, config, findings)
    return registry


def _clouds(config: Config, names: Sequence[str], found: Found, findings: Findings) -> dict[str, Cloud]:
    if not names:
        findings.wrong(("clouds",), "there is no cloud: declare one under clouds, or give clouds_yaml")
    known = frozenset(names)
    places = endpoints.Places(findings)
    return {
        name: _cloud(name, position, config.clouds.get(name), known, found=found, places=places)
        for position, name in enumerate(names)
    }


def _cloud(
    name: str,
    position: int,
    declared: CloudKeys | None,
    names: Collection[str],
    *,
    found: Found,
    places: endpoints.Places,
) -> Cloud:
    keys = declared or CloudKeys()
    findings = places.findings
    learned = found.learned.get(name)
    if declared is not None:
        _check_declared(name, keys, found.entries, findings)
    auth_url = places.auth_url(name, keys, learned)
    region = places.region(keys, learned)
    before = _before(learned, found, auth_url)
    _check_region(name, keys, learned, findings)
    insecure = keys.insecure if keys.insecure is not None else bool(learned and learned.insecure)
    if insecure:
        findings.doubtful(
            _insecure_path(name, keys), f"{name}: INSECURE, its certificates are not verified", key=True
        )
    return Cloud(
        name=name,
        auth_url=auth_url,
        position=position,
        endpoints=before.endpoints if before else places.endpoints(name, keys, learned, auth_url, region),
        region=before.region if before else region,
        groups=tuple(dict.fromkeys(keys.groups)),
        admits=admissions.admissions(name, keys, names, findings),
        cacert=found.certificates.get(name),
        insecure=insecure,
        shares=admissions.shares(name, keys, names, findings),
        exchange=exchanges.exchange(name, keys, findings),
        mapped=exchanges.mapped(name, keys, names, found.entries, findings),
        service_accounts=exchanges.service_accounts(name, keys, names, found.entries, findings),
        unlearned=learned.error if learned and not before else "",
    )


def _check_region(name: str, keys: CloudKeys, learned: Learned | None, findings: Findings) -> None:
    listed = catalog.regions(learned) if learned else ()
    if keys.region is not None and listed and keys.region not in listed:
        message = f"{name}: its catalog has no region {keys.region!r}; it has {', '.join(listed)}"
        findings.doubtful(("clouds", name, "region"), message)


def _before(learned: Learned | None, found: Found, auth_url: str) -> Cloud | None:
    """What this cloud said at an earlier time, if it says nothing now and still has the same Keystone."""
    if learned is None or not learned.error:
        return None
    before = found.before.get(learned.cloud)
    same = before is not None and not before.unlearned and before.auth_url == auth_url
    return before if same else None


def _insecure_path(name: str, keys: CloudKeys) -> tuple[str, ...]:
    return ("clouds", name, "insecure") if keys.insecure else ("clouds_yaml",)


def _check_declared(name: str, keys: CloudKeys, entries: Sequence[str], findings: Findings) -> None:
    path = ("clouds", name)
    _check_name(name, "cloud", path, findings)
    if keys.credentials is not None:
        admissions.entry_known(keys.credentials, (*path, "credentials"), entries, findings)
    asked = entry_of(name, keys, entries)
    if keys.auth_url is None and keys.upstream is None and asked is None:
        findings.wrong(path, f"{name} has no auth_url", key=True)
    elif not keys.endpoints and keys.upstream is None and asked is None:
        message = f"{name} has no endpoints: give endpoints, upstream, or credentials to learn them with"
        findings.wrong(path, message, key=True)


def _check_name(name: str, what: str, path: tuple[str | int, ...], findings: Findings) -> None:
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        message = (
            f"the name of a {what} is 1 to {LONGEST_NAME} printable characters, with no blank at its ends"
        )
        findings.wrong(path, message, key=True)


def _groups(config: Config, names: Collection[str], findings: Findings) -> dict[str, tuple[str, ...]]:
    """Group -> its clouds. No group may have a cloud's name: a place may be either."""
    taken = frozenset(names)
    groups: dict[str, dict[str, None]] = {}
    for cloud, keys in config.clouds.items():
        for position, group in enumerate(keys.groups):
            if group not in groups:
                path = ("clouds", cloud, "groups", position)
                _check_name(group, "group", path, findings)
                if group in taken:
                    findings.wrong(path, f"{group!r} is the name of a cloud; a group needs another")
            groups.setdefault(group, {})[cloud] = None
    return {group: tuple(clouds) for group, clouds in groups.items()}


def _local(config: Config, names: Sequence[str], findings: Findings) -> str:
    if config.local is None:
        if len(names) > 1:
            findings.wrong(
                (), "local is required with more than one cloud: which one is meant where nothing says"
            )
        return names[0] if names else ""
    if config.local not in names:
        message = f"no cloud is called {config.local!r}"
        findings.wrong(("local",), message, suggestion=nearest(config.local, names))
    return config.local


def _fleet_keys(config: Config, clouds: Mapping[str, Cloud], findings: Findings) -> tuple[bytes, ...]:
    if not config.fleet_keys:
        for cloud in clouds.values():
            # A cloud whose services ask their own Keystone never holds a closed token.
            for home in () if cloud.direct else cloud.admits:
                message = (
                    f"fleet_keys is required, because {cloud.name} admits {home}; {fleet.HOW_TO_MAKE_ONE}"
                )
                findings.wrong(("clouds", cloud.name, "admits", home), message, key=True)
                return ()
    read = (
        findings.read(("fleet_keys", position), fleet.key, text)
        for position, text in enumerate(config.fleet_keys)
    )
    return tuple(key for key in read if key is not None)


def _trusted(config: Config, findings: Findings) -> tuple[str, ...]:
    read = (
        findings.read(("trusted_proxies", position), network, text)
        for position, text in enumerate(config.trusted_proxies)
    )
    return tuple(found for found in read if found is not None)


def _store(config: Config, findings: Findings) -> str:
    """The path of the state file, or a server's URL. It may hold a password, so that it is in no message."""
    scheme, _, path = config.store.partition("://")
    if not config.store:
        return ""
    if scheme in SERVERS and path:
        return config.store
    if scheme != STORE or not path.startswith("/") or path.endswith("/"):
        message = (
            f"expected {STORE}:// and an absolute path, as in {STORE}:///var/lib/oidproxy/state.db, "
            "or redis://<host>"
        )
        findings.wrong(("store",), message)
    return path


def _index(clouds: Mapping[str, Cloud]) -> dict[tuple[str, str], tuple[Endpoint, ...]]:
    return {
        (name, service_type): found
        for name, cloud in clouds.items()
        for service_type, found in endpoints.index(cloud.endpoints, cloud.region).items()
    }


def _check_scopes(registry: Registry, config: Config, findings: Findings) -> None:
    if findings.errors:
        return
    scopes.check_meaning(registry.scope, registry.local, ("scope",), registry, findings)
    for position, listener in enumerate(registry.listeners):
        if config.listeners is not None:
            home = listener.cloud or registry.local
            scopes.check_meaning(listener.scope, home, ("listeners", position, "scope"), registry, findings)
    if not findings.errors:
        scopes.check_logins(registry, findings)
