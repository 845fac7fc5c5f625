"""`oidproxy trace show TRACE`: what is in it, in numbers; or its lines."""

from __future__ import annotations

import sys
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.cli.numbers import count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from oidproxy.trace.reading import Trace
    from oidproxy.trace.tallying import Tally

MOST = 12
"""Rows of each table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a file, or the folder of a recording")
    parser.add_argument("--lines", type=count, metavar="N", help="show the first N lines instead, as JSON")
    parser.add_argument("--json", action="store_true", help="the numbers for programs")


def run(options: argparse.Namespace) -> int:
    """Show it. Raises TraceInvalid: it cannot be read."""
    import msgspec

    from oidproxy.cli.trace.counting import Counting
    from oidproxy.trace.reading import open_trace
    from oidproxy.trace.tallying import tally

    trace = open_trace(options.trace)
    out = sys.stdout.buffer
    with suppress(BrokenPipeError):
        if options.lines:
            for line in islice(trace.lines(), options.lines):
                out.write(msgspec.json.encode(line) + b"\n")
            out.flush()
            return 0
        counting = Counting("requests read")
        try:
            found = tally(trace, counting)
        finally:
            counting.end()
        if options.json:
            document = {"header": trace.header, **found.document()}
            out.write(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
        else:
            out.write("".join(f"{line}\n" for line in _told(trace, found)).encode())
        out.flush()
    return 0


def _told(trace: Trace, found: Tally) -> Iterator[str]:
    from oidproxy.cli.trace.missing import told

    header = trace.header
    yield f"{trace.path}: {found.lines:,} requests in {found.nanoseconds / 1e9:,.1f} s since {header.began}"
    versions = ", ".join(f"{name} {version}" for name, version in header.versions.items())
    yield f"source: {header.source}" + (f" ({versions})" if versions else "")
    if header.clouds:
        yield f"clouds: {len(header.clouds):,}, {', '.join(header.clouds[:MOST])}"
    yield f"users: {found.users:,}; bodies: {'yes' if header.bodies else 'no'}"
    for note in header.notes:
        yield f"note: {note}"
    if found.made_up:
        yield "what the source did not have:"
        yield from told(found.made_up, found.lines)
    for title, counts in found.tables():
        yield ""
        yield f"{'REQUESTS':>10}  {title}"
        for name, number in counts.most_common(MOST):
            yield f"{number:>10,}  {name or '-'}"
        if len(counts) > MOST:
            rest = sum(counts.values()) - sum(number for _, number in counts.most_common(MOST))
            yield f"{rest:>10,}  ({len(counts) - MOST:,} more)"
    for path in trace.cut:
        yield f"{path}: it ends too early: whoever wrote it was ended, or still writes"
