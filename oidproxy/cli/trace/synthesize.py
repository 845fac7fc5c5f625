"""`oidproxy trace synthesize WORKLOAD -o TRACE`: a trace of what a YAML file describes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "workload", type=Path, metavar="WORKLOAD", help="YAML: users, mix, arrivals, duration"
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="TRACE", help="ends in .jsonl.zst or .jsonl"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="in place of the workload's")
    parser.add_argument("--force", action="store_true", help="replace TRACE where it is there")


def run(options: argparse.Namespace) -> int:
    """Make it.

    Raises:
        ConfigError: the workload cannot be used.
        TraceInvalid: the trace whose arrivals it wants cannot be read.
    """
    from dataclasses import replace

    from oidproxy.cli.trace.counting import Counting
    from oidproxy.trace.synthesizing.synthesizing import synthesize
    from oidproxy.trace.synthesizing.workload import read

    workload = read(options.workload)
    if options.seed is not None:
        workload = replace(workload, seed=options.seed)
    counting = Counting("requests made")
    try:
        count = synthesize(workload, options.out, replace=options.force, progress=counting)
    finally:
        counting.end()
    print(f"{options.out}: {count:,} requests of {workload.users:,} users (seed {workload.seed})")
    return 0
