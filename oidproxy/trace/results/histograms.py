"""Latencies as HdrHistogram logs: a file for each service and cloud, which any tool for such logs opens.

The form is that of the log format, version 1.2 (HdrHistogram, `HistogramLogWriter`); values are microseconds,
three digits of each are kept. Histograms of several runs or workers may be added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from hdrh.histogram import HdrHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oidproxy.trace.results.table import Array, Table

DIGITS = 3
HIGHEST = 24 * 3600 * 1_000_000
"""Microseconds; what took longer counts as so long."""

_KEPT = 11
"""Bits of a value that three digits need (2,000 < 2^11)."""


def write(table: Table, folder: Path) -> None:
    """Write them; what else of the kind is in the folder goes."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.hdr"):
        old.unlink()
    for (service, cloud), rows in _places(table):
        latency = table.latency[rows] // 1000
        began = int(table.numbers["intended_ns"][rows].min()) / 1e9
        ended = int(table.numbers["done_ns"][rows].max()) / 1e9
        path = folder / f"{file_name(service, cloud)}.hdr"
        path.write_text(log(histogram(latency), began, ended), encoding="ascii")


def file_name(service: str, cloud: str) -> str:
    """`compute@cloud-1`, of characters that every file system takes; another one for each pair."""
    return f"{quote(service or 'other', safe='')}@{quote(cloud or 'unknown', safe='')}"


def histogram(microseconds: Array) -> Any:
    """An `HdrHistogram` of these values."""
    found = HdrHistogram(1, HIGHEST, DIGITS)
    values = np.clip(microseconds, 1, HIGHEST)
    # As many bits as the histogram keeps, so that few different values are left to be recorded.
    shift = np.maximum(np.frexp(values.astype("float64"))[1] - _KEPT, 0).astype("int64")
    for value, count in zip(*np.unique((values >> shift) << shift, return_counts=True), strict=True):
        found.record_value(int(value), int(count))
    return found


def log(found: Any, began: float, ended: float) -> str:
    """A log of one interval; times in seconds since the replay's start."""
    length, longest = ended - began, found.get_max_value() / 1e6
    return (
        "#[Histogram log format version 1.2]\n"
        "#[StartTime: 0.000000 (seconds since epoch), the start of the replay]\n"
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
        f"{began:.3f},{length:.3f},{longest:.3f},{found.encode().decode('ascii')}\n"
    )


def _places(table: Table) -> Iterator[tuple[tuple[str, str], Array]]:
    for (service, cloud), rows in table.groups("service", "cloud").items():
        yield (table.words["service"][service], table.words["cloud"][cloud]), rows
