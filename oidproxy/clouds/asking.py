"""Which entries of clouds.yaml are used for what: to ask clouds for endpoints, and to sign in elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidproxy.clouds.config import CloudKeys, Config


class Ask(msgspec.Struct, frozen=True):
    """Authenticate with `entry` of clouds.yaml; what is None is left to the entry."""

    cloud: str
    entry: str
    auth_url: str | None = None
    cacert: str | None = None
    insecure: bool | None = None


def entry_of(name: str, keys: CloudKeys, entries: Sequence[str]) -> str | None:
    """The entry of clouds.yaml whose catalog tells a cloud's endpoints; None if they are declared.

    A cloud with `upstream:` is never asked: beside a cloud its catalog holds this proxy's own addresses.
    """
    if keys.upstream is not None:
        return None
    if keys.credentials is not None:
        return keys.credentials
    return name if name in entries and not keys.endpoints else None


def undeclared(config: Config, entries: Sequence[str]) -> tuple[str, ...]:
    """The entries of clouds.yaml that become clouds: those that the configuration itself names nowhere."""
    used = set(config.clouds)
    for keys in config.clouds.values():
        used.update(_named_by(keys))
    return tuple(entry for entry in entries if entry not in used)


def asks(config: Config, entries: Sequence[str]) -> Iterator[Ask]:
    """Every cloud to ask, in the order declared; clouds of clouds.yaml alone come last."""
    for name, keys in config.clouds.items():
        entry = entry_of(name, keys, entries)
        if entry is not None and entry in entries:
            yield Ask(name, entry, keys.auth_url, keys.cacert, keys.insecure)
    for name in undeclared(config, entries):
        yield Ask(name, name)


def signing_in(config: Config) -> tuple[str, ...]:
    """The entries that the proxy signs in with, each once."""
    return tuple(dict.fromkeys(entry for keys in config.clouds.values() for entry in _signing_in(keys)))


def mapped_entries(named: str | list[str]) -> tuple[str, ...]:
    """What one project is mapped to: an entry, or several in order of preference."""
    return (named,) if isinstance(named, str) else tuple(named)


def _named_by(keys: CloudKeys) -> Iterator[str]:
    if keys.credentials is not None:
        yield keys.credentials
    yield from _signing_in(keys)


def _signing_in(keys: CloudKeys) -> Iterator[str]:
    yield from keys.service_accounts.values()
    for projects in keys.mapped.values():
        for named in projects.values():
            yield from mapped_entries(named)
