"""What clouds grant each other: `admits:`, calls of foreign services, shared infrastructure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.registry import Admission, ServiceAccount
from oidproxy.scope.nearest import nearest
from oidproxy.scope.services import official

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from oidproxy.clouds.config import AdmitsKeys, CloudKeys
    from oidproxy.clouds.document import Path
    from oidproxy.clouds.findings import Findings

FOREIGN_CALLS = ("glance-download", "dns", "accelerator", "shared-file-system")
"""What `foreign_calls:` may name. `tokens.audience` has the calls behind each name."""


def admissions(
    name: str, keys: CloudKeys, names: Collection[str], findings: Findings
) -> Mapping[str, Admission]:
    """Who is admitted to this cloud, by home."""
    admitted: dict[str, Admission] = {}
    for home, granted in keys.admits.items():
        path = ("clouds", name, "admits", home)
        if is_other(home, name, path, names, findings):
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
            if is_other(other, name, ("clouds", name, "shares", other), names, findings)
        }
    )


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


def is_other(other: str, name: str, path: Path, names: Collection[str], findings: Findings) -> bool:
    """Whether this is the name of a cloud, and not of the one where it stands; an error if not."""
    if other == name:
        findings.wrong(path, f"{name!r} is this cloud itself", key=True)
        return False
    return _is_known(other, path, names, findings)


def _is_known(other: str, path: Path, names: Collection[str], findings: Findings) -> bool:
    if other in names:
        return True
    findings.wrong(path, f"no cloud is called {other!r}", key=True, suggestion=nearest(other, names))
    return False
