"""`oidproxy trace export TRACE -o FILE`: as HAR, CSV or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

FORMATS = ("har", "csv", "parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a file, or the folder of a recording")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE", help="ends in .har, .csv or .parquet"
    )
    parser.add_argument("--format", choices=FORMATS, help="default: by the name")
    parser.add_argument("--force", action="store_true", help="replace FILE where it is there")


def run(options: argparse.Namespace) -> int:
    """Export. Raises TraceInvalid: the trace cannot be read, or the format be told."""
    from oidproxy.cli.trace.counting import Counting
    from oidproxy.trace.exporting.exporting import export, format_of
    from oidproxy.trace.reading import open_trace

    form = options.format or format_of(options.out)
    trace = open_trace(options.trace)
    counting = Counting("requests written")
    try:
        count = export(trace, options.out, form, replace=options.force, progress=counting)
    finally:
        counting.end()
    print(f"{options.out}: {count:,} requests")
    return 0
