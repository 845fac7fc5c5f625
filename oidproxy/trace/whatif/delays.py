"""`--rtt FILE`: ENOSlib's dictionary of network constraints, or ENOS's file that holds one, unchanged.

Delays are one-way, per direction. Rates count, losses do not: TCP would resend.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from oidproxy.clouds import document
from oidproxy.clouds.config import RttKeys
from oidproxy.clouds.delays import round_trips
from oidproxy.clouds.findings import Findings
from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from oidproxy.clouds.rtt import RoundTrips

KEY = "network_constraints"
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
# As `tc` reads them: bits a second, and `bps` for bytes a second.
_KILOBITS = {
    "bit": 0.001,
    "kbit": 1,
    "mbit": 1e3,
    "gbit": 1e6,
    "tbit": 1e9,
    "kbps": 8,
    "mbps": 8e3,
    "gbps": 8e6,
}


@dataclass(frozen=True, slots=True)
class Distances:
    """How far clouds are from each other, and how much fits between them."""

    delays: RoundTrips
    rates: RoundTrips
    """Kilobits a second, found as delays are; 0 is no limit."""
    groups: Mapping[str, tuple[str, ...]]
    """Cloud -> its groups."""

    def seconds(self, src: str, dst: str) -> float:
        """The delay one way; none within a site, unless an entry of its own says so."""
        if src == dst:
            return self.delays.one_way_us.get((src, src), 0) / 1_000_000
        return self.delays.delay_us(src, dst, *self._groups(src, dst)) / 1_000_000

    def bytes_a_second(self, src: str, dst: str) -> float:
        """What fits between them; 0 is no limit, as within a site without an entry of its own."""
        if src == dst:
            return self.rates.one_way_us.get((src, src), 0) * 125.0
        return self.rates.delay_us(src, dst, *self._groups(src, dst)) * 125.0

    def _groups(self, src: str, dst: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.groups.get(src, ()), self.groups.get(dst, ())


def read_keys(path: Path) -> RttKeys:
    """The dictionary of a file, YAML or JSON. Raises ConfigError, OSError."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("this is no text in UTF-8", file=str(path)) from None
    found = document.parse(text, file=str(path))
    if found.problems:
        raise found.problems[0]
    data = found.data
    if isinstance(data, dict) and isinstance(data.get(KEY), dict):
        data = data[KEY]
    try:
        return msgspec.convert(data, RttKeys, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"this is no dictionary of network constraints: {error}", file=str(path)) from None


def names_in(keys: RttKeys) -> tuple[str, ...]:
    """Every name that it gives a delay, in its order; ranges as they stand."""
    names: dict[str, None] = dict.fromkeys(keys.groups or ())
    for one in keys.constraints:
        names |= {one.src: None, one.dst: None}
    return tuple(names)


def distances(
    keys: RttKeys, groups: Mapping[str, tuple[str, ...]], names: Collection[str], file: str
) -> Distances:
    """By the dictionary; `groups` are each cloud's, `names` those of all groups. Raises ConfigError."""
    known = frozenset((*groups, *names))
    return Distances(_read(keys, known, file), _read(_of_rates(keys, file), known, file), groups)


def _read(keys: RttKeys, known: frozenset[str], file: str) -> RoundTrips:
    findings = Findings(document.Document(file, None))
    found = round_trips(keys, known, findings)
    findings.raise_errors()
    return found


def _of_rates(keys: RttKeys, file: str) -> RttKeys:
    """The same with each rate in the place of the delay, so that both are found by the same rules."""
    replace = msgspec.structs.replace
    return replace(
        keys,
        default_delay=_kilobits(keys.default_rate, file),
        constraints=[
            replace(one, delay=None if one.rate is None else _kilobits(one.rate, file))
            for one in keys.constraints
        ],
    )


def _kilobits(text: str | None, file: str) -> str:
    if text is None:
        return "0"
    match = _RATE.fullmatch(text.strip())
    if match is None or match[2].lower() not in _KILOBITS:
        raise ConfigError(f"{text!r} is no rate as tc has them: 100mbit, 1gbit", file=file)
    return f"{round(float(match[1]) * _KILOBITS[match[2].lower()])}us"
