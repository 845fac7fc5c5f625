"""What a run in virtual time is told, as texts that travel to any process, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.cli.virtually.relocating import relocated
from oidproxy.cli.virtually.survey import Survey, survey
from oidproxy.clouds import document
from oidproxy.clouds.build import Found, build
from oidproxy.clouds.catalog import Learned
from oidproxy.clouds.config import decode
from oidproxy.clouds.findings import Findings
from oidproxy.clouds.loading.load import read
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.clouds.scopes import check_meaning
from oidproxy.errors import ConfigError
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import Binding, Scope
from oidproxy.trace.reading import Trace, open_trace
from oidproxy.trace.schedule import Schedule
from oidproxy.trace.whatif.delays import Distances, distances, names_in, read_keys
from oidproxy.trace.whatif.outages import Outage, outages
from oidproxy.trace.whatif.scopes import Scopes, scope_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidproxy.clouds.asking import Ask
    from oidproxy.clouds.registry import Registry

NO_RATES = RoundTrips()
"""Nothing is limited."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What is asked. Everything that changes a result stands here."""

    trace: str
    config: str = ""
    """Path of an oidproxy.yaml; without one the clouds are made up."""
    clouds: int = 0
    """cloud-1 to cloud-N, where there is no configuration; 0: those that the trace and `rtt` name."""
    rtt: str = ""
    scope: str | None = None
    maps: tuple[str, ...] = ()
    outages: tuple[str, ...] = ()
    seed: int = 0
    speed: float = 1.0
    loops: int = 1
    service_time: float | None = None
    """Seconds; None: as recorded."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the texts come to."""

    asked: WhatIf
    trace: Trace
    survey: Survey
    registry: Registry
    """At invented addresses."""
    distances: Distances
    scopes: Scopes
    outages: tuple[Outage, ...]
    schedule: Schedule
    began: float
    """Seconds since the epoch."""


def prepare(asked: WhatIf, seen: Survey | None = None) -> Prepared:
    """Read everything; `seen` is what another process saw of the trace already.

    Raises ConfigError, ScopeError, TraceInvalid, OSError.
    """
    trace = open_trace(Path(asked.trace))
    found = seen or survey(trace)
    keys = read_keys(Path(asked.rtt)) if asked.rtt else None
    if asked.config:
        registry = read(asked.config, learn=_nobody).registry
    else:
        names = [f"cloud-{number}" for number in range(1, asked.clouds + 1)]
        names = names or list(dict.fromkeys((*trace.header.clouds, *found.clouds, *found.homes)))
        if not names and keys is not None:
            names = list(names_in(keys))
        registry = made_up(names, found.homes, asked.seed)
    groups = {name: cloud.groups for name, cloud in registry.clouds.items()}
    if keys is not None:
        far = distances(keys, groups, registry.groups, asked.rtt)
    else:
        far = Distances(registry.rtt, NO_RATES, groups)
    moved = relocated(registry, far.delays)
    return Prepared(
        asked,
        trace,
        found,
        moved,
        far,
        _scopes(asked, moved),
        tuple(one for text in asked.outages for one in outages(text, registry.clouds, registry.groups)),
        Schedule(asked.speed, asked.loops, found.begins, found.ends),
        datetime.fromisoformat(trace.header.began).timestamp(),
    )


def _scopes(asked: WhatIf, registry: Registry) -> Scopes:
    """Raises ConfigError where a scope names what is not there: every request would be refused."""
    maps = tuple(map(scope_map, asked.maps))
    given = [("--scope", parse(asked.scope))] if asked.scope else []
    given += [
        (f"--map-scope {text!r}", Scope(tuple(Binding(name, one.becomes) for name in one.services)))
        for text, one in zip(asked.maps, maps, strict=True)
    ]
    for what, scope in given:
        findings = Findings(document.Document(what, None))
        check_meaning(scope, registry.local, (), registry, findings)
        findings.raise_errors()
    return Scopes(asked.scope, maps)


def made_up(names: Iterable[str], homes: Iterable[str], seed: int) -> Registry:
    """Clouds of which only names are known: a proxy beside each, users of all homes admitted everywhere.

    Raises ConfigError.
    """
    names = list(names)
    if not names:
        raise ConfigError("no cloud is known: give --config, --clouds or --rtt")
    found = document.parse(_text(names, list(homes), seed), file="the made-up configuration")
    findings = Findings(found)
    registry = build(decode(findings), Found(), findings)
    findings.raise_errors()
    return registry


def _text(names: list[str], homes: list[str], seed: int) -> str:
    key = blake2b(f"fleet/{seed}".encode(), digest_size=64).hexdigest()
    lines = [f'local: "{names[0]}"', f'fleet_keys: ["{key}"]', "listeners:"]
    for number, name in enumerate(names, 1):
        address = f"172.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        lines.append(f'  - {{bind: "{address}", ports: openstack, cloud: "{name}"}}')
    lines.append("clouds:")
    for number, name in enumerate(names, 1):
        lines.append(f'  "{name}":')
        lines.append(f'    upstream: "10.{number >> 16}.{number >> 8 & 255}.{number & 255}"')
        admitted = [home for home in homes if home != name and home in names]
        if admitted:
            lines.append("    admits:")
            lines += [f'      "{home}": {{roles: [member, reader]}}' for home in admitted]
    return "\n".join(lines) + "\n"


def _nobody(_path: str, questions: Iterable[Ask], _patience: float) -> Mapping[str, Learned]:
    """Clouds that a configuration does not describe are not asked: it is none of their business."""
    why = "not asked in virtual time"
    return {ask.cloud: Learned(ask.cloud, why, ask.auth_url or "") for ask in questions}
