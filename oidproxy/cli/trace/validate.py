"""`oidproxy trace validate TRACE …`: whether every line is one of a trace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from oidproxy.trace.checking import Checked

SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "traces", type=Path, nargs="*", metavar="TRACE", help="files, or folders of recordings"
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of the form, and check nothing"
    )


def run(options: argparse.Namespace) -> int:
    """0 where all are good, 1 where one is not.

    Raises:
        TraceInvalid: what is given is no trace at all.
    """
    from oidproxy.errors import ConfigError
    from oidproxy.trace.schema import schema

    if options.schema:
        sys.stdout.buffer.write(schema())
        return 0
    if not options.traces:
        raise ConfigError("give a trace to validate, or --schema")
    good = [_validate(path) for path in options.traces]
    return 0 if all(good) else 1


def _validate(path: Path) -> bool:
    from oidproxy.cli.trace.counting import Counting
    from oidproxy.trace.checking import check

    counting = Counting("lines checked")
    try:
        checked = check(path, counting)
    finally:
        counting.end()
    _tell(path, checked)
    return not checked.faults


def _tell(path: Path, checked: Checked) -> None:
    for fault in checked.shown[:SHOWN]:
        print(fault, file=sys.stderr)
    if checked.faults > SHOWN:
        print(f"{path}: {checked.faults - SHOWN:,} more faults", file=sys.stderr)
    for name in checked.cut:
        print(f"{name}: it ends too early: whoever wrote it was ended, or still writes", file=sys.stderr)
    print(f"{path}: {checked.lines:,} requests, {checked.faults:,} faults")
