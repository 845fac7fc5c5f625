"""ENOSlib's dictionary of network constraints to round-trip times.

Its delays are one-way, between groups of machines; here a name is a cloud's or a group's. Rates and losses
are accepted, so that the dictionary of an experiment can be pasted unchanged, and mean nothing here.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.rtt import RoundTrips
from oidproxy.clouds.units import microseconds
from oidproxy.scope.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oidproxy.clouds.config import ConstraintKeys, RttKeys
    from oidproxy.clouds.document import Path
    from oidproxy.clouds.findings import Findings

_RANGE = re.compile(r"(.+)\[(\d+)-(\d+)\]")
_LONGEST_RANGE = 100_000


def round_trips(keys: RttKeys | None, names: frozenset[str], findings: Findings) -> RoundTrips:
    """Round trips by what the dictionary says; `names` are the clouds and groups that it may name."""
    if keys is None:
        return RoundTrips()
    if not keys.enable:
        return RoundTrips(measures=False)
    default = findings.read(("rtt", "default_delay"), microseconds, keys.default_delay) or 0
    one_way: dict[tuple[str, str], int] = {}
    for position, constraint in enumerate(keys.constraints):
        one_way.update(_entries(constraint, ("rtt", "constraints", position), default, names, findings))
    return RoundTrips(
        default,
        MappingProxyType(one_way),
        _names(keys.groups, ("rtt", "groups"), names, findings) if keys.groups is not None else None,
        _excepted(keys, names, findings),
    )


def _entries(
    constraint: ConstraintKeys, path: Path, default: int, names: frozenset[str], findings: Findings
) -> Mapping[tuple[str, str], int]:
    delay = default
    if constraint.delay is not None:
        delay = findings.read((*path, "delay"), microseconds, constraint.delay) or 0
    sources = _checked(constraint.src, (*path, "src"), names, findings)
    targets = _checked(constraint.dst, (*path, "dst"), names, findings)
    entries = {(src, dst): delay for src in sources for dst in targets}
    if constraint.symmetric or constraint.symetric:
        entries |= {(dst, src): delay for src in sources for dst in targets}
    return entries


def _excepted(keys: RttKeys, names: frozenset[str], findings: Findings) -> frozenset[str]:
    given = [keys.excepted] if isinstance(keys.excepted, str) else keys.excepted or []
    return _names(given, ("rtt", "except"), names, findings)


def _names(given: list[str], path: Path, names: frozenset[str], findings: Findings) -> frozenset[str]:
    return frozenset(
        name
        for position, text in enumerate(given)
        for name in _checked(text, (*path, position), names, findings)
    )


def _checked(text: str, path: Path, names: frozenset[str], findings: Findings) -> tuple[str, ...]:
    """The names that a text stands for; none, and an error, if one of them is no cloud and no group."""
    expanded = (text,) if text in names else tuple(_expanded(text))
    unknown = next((name for name in expanded if name not in names), None)
    if unknown is None:
        return expanded
    findings.wrong(path, f"no cloud and no group is called {unknown!r}", suggestion=nearest(unknown, names))
    return ()


def _expanded(text: str) -> Iterator[str]:
    """`grp[1-3]` is grp1, grp2, grp3 (ENOSlib, `expand_groups`); anything else is itself."""
    match = _RANGE.fullmatch(text)
    if match is None or int(match[3]) - int(match[2]) > _LONGEST_RANGE:
        yield text
    else:
        yield from (f"{match[1]}{number}" for number in range(int(match[2]), int(match[3]) + 1))
