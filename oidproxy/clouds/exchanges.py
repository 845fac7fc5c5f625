"""How users of others get a direct cloud's own tokens: `exchange:`, `mapped:`, and accounts of ours."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.addresses import location
from oidproxy.clouds.admissions import entry_known, is_other
from oidproxy.clouds.asking import mapped_entries
from oidproxy.scope.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from oidproxy.clouds.config import AdmitsKeys, CloudKeys
    from oidproxy.clouds.document import Path
    from oidproxy.clouds.findings import Findings
    from oidproxy.clouds.registry import Cloud

EXCHANGES = ("mapped", "carried", "same")
"""What `exchange:` may name. `k2k` (Keystone to Keystone) is a fourth that nothing here can do."""


def exchange(name: str, keys: CloudKeys, findings: Findings) -> tuple[str, ...] | None:
    """The ways of exchange, in order of preference; None where the cloud's services ask the proxy."""
    if keys.exchange is None:
        if keys.mapped:
            message = f"{name}: mapped is for clouds that nobody may reconfigure: give exchange: [mapped]"
            findings.wrong(("clouds", name, "mapped"), message, key=True)
        return None
    for position, way in enumerate(keys.exchange):
        path = ("clouds", name, "exchange", position)
        if way == "k2k":
            findings.wrong(path, f"k2k (Keystone to Keystone) is not available; use {', '.join(EXCHANGES)}")
        elif way not in EXCHANGES:
            message = f"expected one of {', '.join(EXCHANGES)}, got {way!r}"
            findings.wrong(path, message, suggestion=nearest(way, EXCHANGES))
    _check_useful(name, keys, keys.exchange, findings)
    return tuple(dict.fromkeys(keys.exchange))


def _check_useful(name: str, keys: CloudKeys, ways: Sequence[str], findings: Findings) -> None:
    """Keys of which one does nothing without the other."""
    path = ("clouds", name, "exchange")
    if keys.admits and not ways:
        message = f"{name}: it admits others, but exchange names no way to give them a token of its own"
        findings.doubtful(path, message, key=True)
    if "mapped" in ways and not keys.mapped:
        findings.wrong(path, f"{name}: exchange names mapped, but mapped: lists no credentials", key=True)
    if keys.mapped and "mapped" not in ways:
        message = f"{name}: these credentials are not used, since exchange does not name mapped"
        findings.doubtful(("clouds", name, "mapped"), message, key=True)
    for home, projects in keys.mapped.items():
        _check_admitted(name, home, projects, keys.admits.get(home), findings)
    for home, admission in keys.admits.items():
        there = ("clouds", name, "admits", home)
        if admission.map and set(ways) == {"same"}:
            message = f"{name}: same cannot map a role: a token goes as it is, or not at all"
            findings.doubtful((*there, "map"), message, key=True)
        if admission.services:
            message = f"{name}: its services ask their own Keystone, so no service of {home} is known there"
            findings.doubtful((*there, "services"), message, key=True)


def _check_admitted(
    name: str, home: str, projects: Collection[str], admission: AdmitsKeys | None, findings: Findings
) -> None:
    """Credentials for somebody whom the policy keeps out."""
    path = ("clouds", name, "mapped", home)
    if admission is None:
        findings.doubtful(path, f"{name} does not admit {home}, so these credentials are not used", key=True)
        return
    for project in projects:
        if admission.projects is not None and project not in admission.projects:
            message = f"{name} does not admit this project of {home}, so its credentials are not used"
            findings.doubtful((*path, project), message, key=True)


def mapped(
    name: str, keys: CloudKeys, names: Collection[str], entries: Collection[str], findings: Findings
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Home -> home's project id -> the entries of clouds.yaml that its users may get here."""
    found: dict[str, Mapping[str, tuple[str, ...]]] = {}
    used: dict[str, tuple[str, str]] = {}
    for home, projects in keys.mapped.items():
        if is_other(home, name, ("clouds", name, "mapped", home), names, findings):
            listed = {project: mapped_entries(named) for project, named in projects.items()}
            for project, named in listed.items():
                _check_entries(name, (home, project), named, entries=entries, used=used, findings=findings)
            found[home] = MappingProxyType(listed)
    return MappingProxyType(found)


def _check_entries(
    name: str,
    of: tuple[str, str],
    named: Sequence[str],
    *,
    entries: Collection[str],
    used: dict[str, tuple[str, str]],
    findings: Findings,
) -> None:
    """The entries for one project; `used` is which project each was for that came before."""
    path = ("clouds", name, "mapped", *of)
    if not named:
        findings.wrong(path, "this project is mapped to nothing: name an entry of clouds_yaml", key=True)
    for entry in named:
        other = used.setdefault(entry, of)
        if entry_known(entry, path, entries, findings) and other != of:
            message = (
                f"{name}: {entry} is also for project {other[1]} of {other[0]}: both share all they have"
            )
            findings.doubtful(path, message, key=True)


def service_accounts(
    name: str, keys: CloudKeys, names: Collection[str], entries: Collection[str], findings: Findings
) -> Mapping[str, str]:
    """Home -> the entry of clouds.yaml with a service account there, for validating expired tokens."""
    for home, entry in keys.service_accounts.items():
        path = ("clouds", name, "service_accounts", home)
        if is_other(home, name, path, names, findings):
            entry_known(entry, path, entries, findings)
    return MappingProxyType(dict(keys.service_accounts))


def check_keystones(clouds: Mapping[str, Cloud], auth_urls: Mapping[str, str], findings: Findings) -> None:
    """A secret goes to the Keystone that its entry of clouds.yaml names, or nowhere."""
    for path, entry, cloud in _signing_in(clouds):
        given = auth_urls.get(entry, "")
        if given and not _same_place(given, clouds[cloud].auth_url):
            own = clouds[cloud].auth_url
            findings.wrong(path, f"entry {entry!r} signs in at {given}, but the Keystone of {cloud} is {own}")


def check_same(clouds: Mapping[str, Cloud], findings: Findings) -> None:
    """Whoever has a user's own token can do at home what the user can."""
    for cloud in clouds.values():
        for home in cloud.admits if "same" in (cloud.exchange or ()) else ():
            if not _same_place(cloud.auth_url, clouds[home].auth_url):
                message = (
                    f"{cloud.name}: by same its services get the tokens of {home} as they are, and could use "
                    "them there, though the two have different Keystones: right only where these share keys, "
                    "users and projects"
                )
                findings.doubtful(("clouds", cloud.name, "exchange"), message, key=True)


def _signing_in(clouds: Mapping[str, Cloud]) -> Iterator[tuple[Path, str, str]]:
    """Where an entry is named, the entry, and the cloud that it is for."""
    for name, cloud in clouds.items():
        for home, projects in cloud.mapped.items():
            for project, named in projects.items():
                for entry in named:
                    yield ("clouds", name, "mapped", home, project), entry, name
        for home, entry in cloud.service_accounts.items():
            yield ("clouds", name, "service_accounts", home), entry, home


def _same_place(one: str, other: str) -> bool:
    try:
        here, there = location(one), location(other)
    except ValueError:
        return False
    return (here.origin, here.root) == (there.origin, there.root)
