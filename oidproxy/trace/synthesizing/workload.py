"""The workload as it is written down: a small YAML file, read into a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from oidproxy.clouds import units
from oidproxy.clouds.limits import MIB
from oidproxy.errors import OidproxyError
from oidproxy.scope.canonical import canonical
from oidproxy.scope.nearest import nearest
from oidproxy.scope.parse import parse
from oidproxy.trace import yaml_file
from oidproxy.trace.synthesizing.operations import BEFORE, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.findings import Findings

PROCESSES = ("poisson", "constant", "recorded")

USERS_AT_MOST = 1_000_000


class _ArrivalKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    process: str = "poisson"
    rate: str | None = None
    trace: str | None = None
    speed: str = "1"


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    mix: dict[str, str]
    users: str = "1"
    clouds: list[str] | dict[str, str] | None = None
    scopes: dict[str, str] = {}
    arrivals: _ArrivalKeys = _ArrivalKeys()
    duration: str | None = None
    requests: str | None = None
    seed: str = "0"
    settle: str = "5s"
    image_size: str = "1MiB"
    before: dict[str, str] = {}
    tidy: bool = False


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When requests come."""

    process: str = "poisson"
    rate: float = 1.0
    """A second; of `poisson` and `constant`."""
    trace: Path | None = None
    """Of `recorded`: whose times they have …"""
    speed: float = 1.0
    """… so many times as fast."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What to make."""

    mix: Mapping[str, float]
    """Operation -> weight."""
    users: int = 1
    clouds: Mapping[str, float] = field(default_factory=lambda: {"cloud-1": 1.0})
    """Home -> weight among the users."""
    scopes: Mapping[str, float] = field(default_factory=lambda: {"": 1.0})
    """Canonical scope -> weight among the users."""
    arrivals: Arrivals = Arrivals()
    duration: float | None = None
    """Seconds; whichever comes first of it …"""
    requests: int | None = None
    """… and so many requests."""
    seed: int = 0
    settle: float = 5.0
    """Seconds after which what was made can be used."""
    image_size: int = MIB
    before: Mapping[str, str] = field(default_factory=lambda: dict(BEFORE))
    """What is there before: kind -> name."""
    tidy: bool = False
    """At the end all that was made is taken away."""


def read(path: Path) -> Workload:
    """The file's. Raises ConfigError, with every fault and its place; OSError."""
    keys, findings = yaml_file.read(path, _Keys)
    for name in keys.mix:
        if name not in OPERATIONS:
            hint = nearest(name, OPERATIONS)
            known = "" if hint else f": {', '.join(OPERATIONS)}"
            findings.wrong(("mix", name), f"{name!r} is no operation{known}", key=True, suggestion=hint)
    for kind in keys.before:
        if kind not in BEFORE:
            findings.wrong(("before", kind), f"{kind!r} is none of {', '.join(BEFORE)}", key=True)
    workload = Workload(
        mix=_weights(keys.mix, "mix", findings),
        users=_whole(keys.users, ("users",), findings, USERS_AT_MOST),
        clouds=_clouds(keys, findings),
        scopes=_scopes(keys, findings),
        arrivals=_arrivals(keys.arrivals, path.parent, findings),
        duration=findings.read(("duration",), units.seconds, keys.duration) if keys.duration else None,
        requests=_whole(keys.requests, ("requests",), findings) if keys.requests else None,
        seed=findings.read(("seed",), units.count, keys.seed) or 0,
        settle=findings.read(("settle",), units.seconds, keys.settle) or 0.0,
        image_size=findings.read(("image_size",), units.size, keys.image_size) or 0,
        before={**BEFORE, **keys.before},
        tidy=keys.tidy,
    )
    if workload.duration is None and workload.requests is None and workload.arrivals.process != "recorded":
        findings.wrong((), "how long? Give duration (10m), or requests (a number)")
    findings.raise_errors()
    return workload


def _arrivals(keys: _ArrivalKeys, folder: Path, findings: Findings) -> Arrivals:
    path = ("arrivals",)
    if keys.process not in PROCESSES:
        findings.wrong((*path, "process"), f"expected one of {', '.join(PROCESSES)}")
    elif keys.process == "recorded" and keys.trace is None:
        findings.wrong(path, "recorded arrivals need a trace: whose times they have", key=True)
    elif keys.process != "recorded" and keys.rate is None:
        findings.wrong(path, f"{keys.process} arrivals need a rate: requests a second", key=True)
    return Arrivals(
        keys.process,
        _above_zero(keys.rate or "1", (*path, "rate"), findings),
        folder / Path(keys.trace).expanduser() if keys.trace else None,
        _above_zero(keys.speed, (*path, "speed"), findings),
    )


def _clouds(keys: _Keys, findings: Findings) -> Mapping[str, float]:
    if isinstance(keys.clouds, dict):
        return _weights(keys.clouds, "clouds", findings)
    if keys.clouds is None:
        return {"cloud-1": 1.0}
    if not keys.clouds:
        findings.wrong(("clouds",), "users need a home: name a cloud")
    return dict.fromkeys(keys.clouds, 1.0)


def _scopes(keys: _Keys, findings: Findings) -> Mapping[str, float]:
    if not keys.scopes:
        return {"": 1.0}
    found = {}
    for text, weight in _weights(keys.scopes, "scopes", findings).items():
        try:
            found[canonical(parse(text)) if text else ""] = weight
        except OidproxyError as error:
            findings.wrong(("scopes", text), f"this scope cannot be read: {error.message}", key=True)
    return found


def _weights(given: Mapping[str, str], name: str, findings: Findings) -> Mapping[str, float]:
    found = {key: _above_zero(text, (name, key), findings) for key, text in given.items()}
    if not found:
        findings.wrong((name,), "nothing stands here: give names with weights", key=True)
    return found


def _above_zero(text: str, path: tuple[str, ...], findings: Findings) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 1e-6 <= found < 1e12:
        findings.wrong(path, f"expected a number above 0, from 0.000001 to a million millions, got {text!r}")
        return 1.0
    return found


def _whole(text: str, path: tuple[str, ...], findings: Findings, at_most: int = 10**12) -> int:
    found = findings.read(path, units.count, text)
    if found is not None and not 1 <= found <= at_most:
        findings.wrong(path, f"expected a number from 1 to {at_most}, got {text}")
    return found or 1
