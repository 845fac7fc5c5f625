"""`oidproxy trace`: what is done with traces; each action is a module of its own beside this one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

ACTIONS = {
    "import": "a trace out of another format: HAR, GoReplay, logs of nova-api, CSV",
    "export": "a trace as HAR, CSV or Parquet",
    "synthesize": "make a trace of a workload that a YAML file describes",
    "show": "what is in a trace, in numbers",
    "validate": "whether every line of a trace is one",
    "replay": "send the requests of a trace again, at their times",
    "whatif": "replay a trace against simulated clouds in virtual time, with something changed",
    "compare": "what differs between two results",
    "report": "draw the plots and the page of results again",
}
"""Action -> what it is for.

Its module `oidproxy.cli.trace.<name>` (or `_MODULES` says which) has `add_arguments(parser)` and
`run(options) -> int`, and imports what it needs when it runs.
"""

_MODULES = {"import": "importing", "export": "exporting"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One action and what it takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, purpose in ACTIONS.items():
        module = importlib.import_module(_module(name))
        module.add_arguments(actions.add_parser(name, help=purpose, description=purpose))


def run(options: argparse.Namespace) -> int:
    """Do it; what it returns is the exit status."""
    status: int = importlib.import_module(_module(options.action)).run(options)
    return status


def _module(name: str) -> str:
    return f"oidproxy.cli.trace.{_MODULES.get(name, name)}"
