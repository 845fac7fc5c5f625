"""`oidproxy trace import FILE -o TRACE`: a trace out of another format, and what had to be made up for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from oidproxy.trace.importing.importing import Account

FORMATS = ("har", "gor", "wsgi", "csv", "oidproxy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="or the folder of a recording; .gz is read, too"
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="TRACE", help="ends in .jsonl.zst or .jsonl"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="default: by the name. wsgi is the log of nova-api and its like, oidproxy a trace of our own",
    )
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE", help="for CSV: YAML that says which column is what"
    )
    parser.add_argument(
        "--service", default="", metavar="TYPE", help="of requests whose service cannot be told"
    )
    parser.add_argument("--cloud", default="", metavar="NAME", help="the cloud that the requests went to")
    parser.add_argument("--strict", action="store_true", help="end at the first line that cannot be read")
    parser.add_argument("--force", action="store_true", help="replace TRACE where it is there")


def run(options: argparse.Namespace) -> int:
    """Import; the exit status is 0, also where some lines could not be read.

    Raises:
        ConfigError: the mapping cannot be used.
        TraceInvalid: there is no request in the file; with --strict also: a line cannot be read.
    """
    from oidproxy.cli.trace.counting import Counting
    from oidproxy.scope.services import official
    from oidproxy.trace.importing import mapping
    from oidproxy.trace.importing.importing import format_of, import_trace
    from oidproxy.trace.importing.terms import Options

    form = options.format or format_of(options.file)
    chosen = Options(
        service=official(options.service) if options.service else "",
        cloud=options.cloud,
        mapping=mapping.read(options.mapping) if options.mapping else None,
    )
    counting = Counting("lines read")
    try:
        account = import_trace(
            options.file,
            options.out,
            form,
            chosen,
            strict=options.strict,
            replace=options.force,
            progress=counting,
        )
    finally:
        counting.end()
    _tell(account, options.file, options.out)
    return 0


def _tell(account: Account, source: Path, out: Path) -> None:
    from oidproxy.cli.trace.missing import told

    seconds = account.nanoseconds / 1e9
    services = ", ".join(f"{count:,} {name or '(none)'}" for name, count in account.services.most_common())
    print(f"{out}: {account.lines:,} requests in {seconds:,.1f} s ({services})")
    if account.others:
        print(f"{account.others:,} other lines, which are no requests")
    if account.made_up:
        print("what the source did not have:")
        for line in told(account.made_up, account.lines):
            print(line)
    for one in account.named:
        print(f"{source}:{one.line}: {one.why}", file=sys.stderr)
    if account.broken:
        more = account.broken - len(account.named)
        rest = f", {more:,} of them not shown" if more else ""
        print(f"{account.broken:,} lines could not be read and are left out{rest}", file=sys.stderr)
