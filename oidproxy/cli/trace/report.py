"""`oidproxy trace report DIR`: draws summary, plots and page of results again, from their table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of results")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the requests as CSV")


def run(options: argparse.Namespace) -> int:
    """Write them into the same folder.

    Raises:
        ConfigError: it is no folder of results. OSError.
    """
    from oidproxy.trace.results import folder as results

    manifest = results.read_manifest(options.folder)
    before = results.read_summary(options.folder)
    table = results.read_table(options.folder)
    results.describe(
        options.folder, manifest, table, before.get("told_saturated", []), before.get("left_out", {})
    )
    if options.csv:
        from oidproxy.trace.results.parquet import to_csv

        to_csv(options.folder / results.REQUESTS, options.csv)
    print(options.folder / results.REPORT)
    return 0
