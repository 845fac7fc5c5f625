"""`oidproxy trace compare A B`: what differs between two results, with confidence intervals."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from oidproxy.trace.comparing.compare import Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("a", type=Path, metavar="A", help="a folder of results")
    parser.add_argument("b", type=Path, metavar="B", help="another one")
    parser.add_argument(
        "--by",
        default="service,cloud",
        metavar="FIELDS",
        help="what makes a group: some of service, method, template, cloud, home (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the resampling (default: %(default)s)"
    )
    parser.add_argument(
        "-f", "--format", choices=("table", "json", "csv"), default="table", help="default: %(default)s"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with pictures")


def run(options: argparse.Namespace) -> int:
    """Print it.

    Raises:
        ConfigError: one of them is no folder of results. OSError.
    """
    from oidproxy.trace.comparing.compare import compare
    from oidproxy.trace.results.folder import read_manifest, read_table

    by = fields(options.by)
    for folder in (options.a, options.b):
        read_manifest(folder)
    tables = read_table(options.a), read_table(options.b)
    rows = compare(*tables, by, options.seed)
    _print(rows, by, options.format)
    if options.html:
        from oidproxy.trace.comparing.page import page

        a, b = options.a.resolve(), options.b.resolve()
        names = (a.name, b.name) if a.name != b.name else (str(options.a), str(options.b))
        options.html.write_text(page(rows, by, tables, names), encoding="utf-8")
    return 0


def fields(text: str) -> tuple[str, ...]:
    """The fields of `--by`. Raises ConfigError: one is unknown."""
    from oidproxy.trace.comparing.compare import FIELDS

    found = tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    for one in found:
        if one not in FIELDS:
            raise ConfigError(f"--by {one}: expected some of {', '.join(FIELDS)}")
    return found


def _print(rows: Sequence[Row], by: Sequence[str], form: str) -> None:
    from oidproxy.trace.comparing import compare, telling

    if form == "json":
        print(json.dumps(compare.documents(rows, by), indent=2))
    elif form == "csv":
        found = list(compare.flat(rows, by))
        names = list(found[0]) if found else [*by, "measure"]
        writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    else:
        for line in telling.lines(rows, by):
            print(line)
