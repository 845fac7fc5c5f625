"""A folder of results: taken one outcome at a time, written when the replay is over.

Equal outcomes and an equal manifest make equal bytes, in whatever order the outcomes came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from oidproxy.errors import ConfigError
from oidproxy.trace.results.manifest import RESULTS_VERSION, Manifest
from oidproxy.trace.results.table import Columns

if TYPE_CHECKING:
    from pathlib import Path

    from oidproxy.trace.results.outcome import Outcome
    from oidproxy.trace.results.table import Table

MANIFEST, SUMMARY, REQUESTS, REPORT = "manifest.json", "summary.json", "requests.parquet", "report.html"
PLOTS, HISTOGRAMS = "plots", "histograms"


class Results:
    """What a replay fills."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Make the folder.

        Raises:
            OSError: it cannot be made.
        """
        self.folder = folder
        self.manifest = manifest
        self.saturated: list[str] = []
        """Why the sender could not keep up, beyond what the outcomes themselves tell."""
        self.left_out: dict[str, int] = {}
        """Requests of the trace that are no part of this replay: why, how many."""
        self._columns = Columns()
        folder.mkdir(parents=True, exist_ok=True)

    def __len__(self) -> int:
        return len(self._columns)

    def add(self, outcome: Outcome) -> None:
        """Take one outcome; the order does not matter."""
        self._columns.add(outcome)

    def close(self, *, pictures: bool = True) -> dict[str, Any]:
        """Write everything; the summary. `pictures=False` leaves out plots and report.

        Raises:
            OSError: it cannot be written.
        """
        from oidproxy.trace.results import histograms, parquet  # noqa: PLC0415 - 0.3 s, once

        table = self._columns.table()
        _write_json(self.folder / MANIFEST, self.manifest)
        parquet.write(table, self.folder / REQUESTS)
        histograms.write(table, self.folder / HISTOGRAMS)
        return describe(self.folder, self.manifest, table, self.saturated, self.left_out, pictures=pictures)


def describe(
    folder: Path,
    manifest: Manifest,
    table: Table,
    saturated: list[str],
    left_out: dict[str, int],
    *,
    pictures: bool = True,
) -> dict[str, Any]:
    """Write what is drawn from the table: summary, plots, report."""
    from oidproxy.trace.results.summary import summary  # noqa: PLC0415

    found = summary(table, saturated=saturated, left_out=left_out)
    _write_json(folder / SUMMARY, found)
    if pictures:
        from oidproxy.trace.results.plots.all import draw  # noqa: PLC0415 - matplotlib takes a second
        from oidproxy.trace.results.report import page  # noqa: PLC0415

        plots = draw(table, folder / PLOTS)
        (folder / REPORT).write_text(page(manifest, found, plots), encoding="utf-8")
    return found


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder of results.

    Raises:
        ConfigError: it is no such folder. OSError: it cannot be read.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise ConfigError(f"no results of a replay: it has no {MANIFEST}", file=str(folder))
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise ConfigError(f"this manifest cannot be read: {error}", file=str(path)) from None
    if found.oidproxy_results != RESULTS_VERSION:
        raise ConfigError(
            f"these results have version {found.oidproxy_results}, and this oidproxy reads {RESULTS_VERSION}",
            file=str(path),
        )
    return found


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a folder of results. Raises ConfigError, OSError."""
    path = folder / SUMMARY
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ConfigError(f"this summary cannot be read: {error}", file=str(path)) from None
    return found


def read_table(folder: Path) -> Table:
    """The outcomes of a folder of results. Raises ConfigError, OSError."""
    from oidproxy.trace.results import parquet  # noqa: PLC0415

    return parquet.read(folder / REQUESTS)


def _write_json(path: Path, value: Any) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
