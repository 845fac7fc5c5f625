"""What clouds grant each other: `admits:`, calls of foreign services, shared infrastructure, exchange."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.asking import mapped_entries
from oidproxy.clouds.registry import Admission, ServiceAccount
from oidproxy.scope.nearest import nearest
from oidproxy.scope.services import official

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from oidproxy.clouds.config import AdmitsKeys, CloudKeys
    from oidproxy.clouds.document import Path
    from oidproxy.clouds.findings import Findings

EXCHANGES = ("mapped", "carried", "same")
"""What `exchange:` may name. `k2k` (Keystone to Keystone) is a fourth that nothing here can do."""

FOREIGN_CALLS = ("glance-download", "dns", "accelerator", "shared-file-system")
"""What `foreign_calls:` may name. `tokens.audience` has the calls behind each name."""


def admissions(
    name: str, keys: CloudKeys, names: Collection[str], findings: Findings
) -> Mapping[str, Admission]:
    """Who is admitted to this cloud, by home."""
    admitted: dict[str, Admission] = {}
    for home, granted in keys.admits.items():
        path = ("clouds", name, "admits", home)
        if _is_other(home, name, path, names, findings):
            admitted[home] = _admission(granted, path, keys.exchange is not None, findings)
    return MappingProxyType(admitted)


def foreign_calls(given: Sequence[str], findings: Findings) -> frozenset[str]:
    """The further calls that a cloud's services may make with the tokens of another cloud's users."""
    for position, name in enumerate(given):
        if name not in FOREIGN_CALLS:
            message = f"expected one of {', '.join(FOREIGN_CALLS)}, got {name!r}"
            findings.wrong(("foreign_calls", position), message, suggestion=nearest(name, FOREIGN_CALLS))
    return frozenset(given)


def shares(
    name: str, keys: CloudKeys, names: Collection[str], findings: Findings
) -> Mapping[str, frozenset[str]]:
    """Other cloud -> official types of the services whose infrastructure it has in common with this one."""
    return MappingProxyType(
        {
            other: frozenset(map(official, services))
            for other, services in keys.shares.items()
            if _is_other(other, name, ("clouds", name, "shares", other), names, findings)
        }
    )


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
    for home in keys.mapped:
        if home not in keys.admits:
            message = f"{name} does not admit {home}, so these credentials are not used"
            findings.doubtful(("clouds", name, "mapped", home), message, key=True)


def mapped(
    name: str, keys: CloudKeys, names: Collection[str], entries: Collection[str], findings: Findings
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Home -> home's project id -> the entries of clouds.yaml that its users may get here."""
    found: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for home, projects in keys.mapped.items():
        path = ("clouds", name, "mapped", home)
        if _is_other(home, name, path, names, findings):
            listed = {project: mapped_entries(named) for project, named in projects.items()}
            for project, named in listed.items():
                for entry in named:
                    entry_known(entry, (*path, project), entries, findings)
            found[home] = MappingProxyType(listed)
    return MappingProxyType(found)


def service_accounts(
    name: str, keys: CloudKeys, names: Collection[str], entries: Collection[str], findings: Findings
) -> Mapping[str, str]:
    """Home -> the entry of clouds.yaml with a service account there, for validating expired tokens."""
    for home, entry in keys.service_accounts.items():
        path = ("clouds", name, "service_accounts", home)
        if _is_other(home, name, path, names, findings):
            entry_known(entry, path, entries, findings)
    return MappingProxyType(dict(keys.service_accounts))


def entry_known(entry: str, path: Path, entries: Collection[str], findings: Findings) -> bool:
    """Whether clouds.yaml has this entry; an error if not."""
    if entry in entries:
        return True
    if not entries:
        findings.wrong(path, f"there is no entry {entry!r}: clouds_yaml is not given, or has no clouds")
    else:
        findings.wrong(path, f"clouds_yaml has no entry {entry!r}", suggestion=nearest(entry, entries))
    return False


def _admission(keys: AdmitsKeys, path: Path, exchanged: bool, findings: Findings) -> Admission:
    if not keys.roles and not keys.map and not keys.services:
        findings.doubtful(path, "this admits nobody: give roles, map or services", key=True)
    projects = _projects(keys, (*path, "projects"), exchanged, findings)
    return Admission(
        roles=frozenset(keys.roles),
        map=MappingProxyType(dict(keys.map)),
        projects=projects,
        read_only=keys.read_only,
        services=tuple(ServiceAccount(one.user, one.project, one.domain) for one in keys.services),
    )


def _projects(keys: AdmitsKeys, path: Path, exchanged: bool, findings: Findings) -> Mapping[str, str] | None:
    if keys.projects is None:
        return None
    if isinstance(keys.projects, list):
        return MappingProxyType({project: project for project in keys.projects})
    if not exchanged:
        findings.wrong(
            path, "projects can be mapped to others only where tokens are exchanged (exchange:); give a list"
        )
    return MappingProxyType(dict(keys.projects))


def _is_other(other: str, name: str, path: Path, names: Collection[str], findings: Findings) -> bool:
    if other == name:
        findings.wrong(path, f"{name!r} is this cloud itself", key=True)
        return False
    return _is_known(other, path, names, findings)


def _is_known(other: str, path: Path, names: Collection[str], findings: Findings) -> bool:
    if other in names:
        return True
    findings.wrong(path, f"no cloud is called {other!r}", key=True, suggestion=nearest(other, names))
    return False
