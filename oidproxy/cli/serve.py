"""`oidproxy serve`: run the proxy until SIGTERM."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.cli.numbers import count

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration (YAML)")
    parser.add_argument(
        "--workers",
        type=count,
        default=1,
        metavar="N",
        help="worker processes that share the listeners (default: 1)",
    )
    parser.add_argument(
        "--access-log",
        default="-",
        metavar="FILE",
        help="where a JSON line a request goes; - is standard output, the default",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="take down every request as a trace, in a folder of its own in here (see `oidproxy trace`)",
    )


def run(options: argparse.Namespace) -> int:
    """Serve; the exit status is 0 after an orderly end, 2 when it cannot begin."""
    # Until there is something to reload, SIGHUP asks for nothing; without this it would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Imported here, so that a missing extra is told before anything begins.
    import uvloop

    from oidproxy.cli.serving import serve
    from oidproxy.proxy.parent import Options

    chosen = Options(
        config=options.config,
        workers=options.workers,
        access_log=options.access_log,
        record=options.record,
    )
    status: int = uvloop.run(serve(chosen, _say))
    return status


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
