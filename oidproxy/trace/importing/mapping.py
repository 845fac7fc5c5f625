"""The mapping file of a CSV import: which column is what, and what holds for all rows."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from oidproxy.clouds.units import microseconds
from oidproxy.scope.nearest import nearest
from oidproxy.trace import yaml_file

if TYPE_CHECKING:
    from collections.abc import Mapping as ReadOnly
    from pathlib import Path

FIELDS = (
    "at",
    "duration",
    "method",
    "url",
    "path",
    "query",
    "service",
    "scope",
    "home",
    "cloud",
    "status",
    "bytes_in",
    "bytes_out",
    "user",
    "request_id",
    "caller",
    "content_type",
    "request_body",
    "answer_body",
)
"""What a column may be."""

UNITS: ReadOnly[str, int] = MappingProxyType({"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1})
"""Of numbers that are times; nanoseconds of each."""


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    at: str = "iso"
    duration: str = "s"
    gap: str = "100ms"
    delimiter: str = ","


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader of CSV needs to know."""

    columns: dict[str, str]
    """Field -> column's name."""
    constants: dict[str, str] = {}
    """Field -> the same for all rows that have no other."""
    at: str = "iso"
    """`iso` (ISO 8601), a unit (since the epoch), or a format of strptime."""
    duration: str = "s"
    """The unit."""
    gap: int = 100_000_000
    """Nanoseconds between two rows, where no column says when they were."""
    delimiter: str = ","


OWN = Mapping(
    columns={
        **{name: name for name in FIELDS if name not in {"at", "duration", "url"}},
        "at": "time",
        "duration": "duration_ms",
    },
    duration="ms",
)
"""That of the CSV that this program exports."""


def read(path: Path) -> Mapping:
    """The file's. Raises ConfigError, with every fault and its place; OSError."""
    keys, findings = yaml_file.read(path, _Keys)
    for part, given in (("columns", keys.columns), ("constants", keys.constants)):
        for name in given:
            if name not in FIELDS:
                known = ", ".join(FIELDS)
                hint = nearest(name, FIELDS)
                message = f"{name!r} is nothing that a request has" + ("" if hint else f": {known}")
                findings.wrong((part, name), message, key=True, suggestion=hint)
    if not {"path", "url"} & {*keys.columns, *keys.constants}:
        findings.wrong(("columns",), "no column is the path or the url of a request", key=True)
    if keys.duration not in UNITS:
        findings.wrong(("duration",), f"expected a unit: {', '.join(UNITS)}")
    if keys.at not in {*UNITS, "iso"} and "%" not in keys.at:
        findings.wrong(
            ("at",), f"expected iso, a unit ({', '.join(UNITS)}) or a format such as %d/%m/%Y %H:%M:%S"
        )
    if len(keys.delimiter) != 1:
        findings.wrong(("delimiter",), "expected one character")
    gap = findings.read(("gap",), microseconds, keys.gap)
    findings.raise_errors()
    return Mapping(
        columns=keys.columns,
        constants=keys.constants,
        at=keys.at,
        duration=keys.duration,
        gap=(gap or 0) * 1000,
        delimiter=keys.delimiter,
    )
