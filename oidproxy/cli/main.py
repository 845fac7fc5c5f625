"""Entry point of the `oidproxy` command: finds the subcommand and imports nothing else.

`oidproxy --version` and `oidproxy scope …` have to be quick, so each subcommand's module is imported only
when it runs.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError, OidproxyError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "serve": "run the proxy",
    "demo": "two embedded clouds, the proxy, and the real openstack client",
    "sim": "run a simulated cloud",
    "config": "check a configuration",
    "cloud": "what the services of a cloud are configured with",
    "scope": "read, tag and explain scopes",
    "journal": "what was begun in several clouds and is not over",
    "trace": "what passed: import, make, replay, ask what if, compare",
}
"""Subcommand -> what it is for.

Its module `oidproxy.cli.<name>` has `add_arguments(parser)` and `run(options) -> int`.
"""

_MODULES = {"trace": "trace.group"}
"""Subcommand -> its module, where that is not its name."""

SERVER_MODULES = frozenset(
    {
        "aiohttp",
        "cryptography",
        "httptools",
        "keystoneauth1",
        "msgspec",
        "openstack",
        "prometheus_client",
        "uvloop",
        "zstandard",
    }
)

TRACE_MODULES = frozenset({"distributed", "hdrh", "matplotlib", "numpy", "pyarrow"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit status is 2 for whatever the user can mend."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        return _top_level(arguments)
    try:
        return _run(name, arguments[1:])
    except ModuleNotFoundError as error:
        return _missing(name, error)
    except KeyboardInterrupt:
        return 130
    except (OidproxyError, OSError) as error:
        print(f"oidproxy {name}: {_said(error)}", file=sys.stderr)
        return 2


def _run(name: str, arguments: list[str]) -> int:
    command = importlib.import_module(f"oidproxy.cli.{_MODULES.get(name, name)}")
    parser = argparse.ArgumentParser(prog=f"oidproxy {name}", description=COMMANDS[name])
    command.add_arguments(parser)
    status: int = command.run(parser.parse_args(arguments))
    return status


def _said(error: OidproxyError | OSError) -> str:
    """What was wrong, and where."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, OidproxyError):
        return error.message
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _top_level(arguments: list[str]) -> int:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:<{width}}  {purpose}" for name, purpose in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="oidproxy",
        description="A scope-aware reverse proxy in front of many OpenStack clouds.",
        epilog=f"commands:\n{listing}\n\n`oidproxy COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help="what to do")
    options = parser.parse_args(arguments)
    if options.version:
        from oidproxy.version import VERSION

        print(f"oidproxy {VERSION}")
        return 0
    parser.print_help(sys.stderr)
    return 2


def _missing(name: str, error: ModuleNotFoundError) -> int:
    package = (error.name or "").partition(".")[0]
    if package in SERVER_MODULES:
        kind, extras = "the server's packages", "server"
    elif package in TRACE_MODULES:
        kind = "packages of its own"
        extras = "server,trace,cluster" if package == "distributed" else "server,trace"
    else:
        raise error
    print(
        f"oidproxy {name}: this command needs {kind} ({package} is missing).\n"
        f"Install them with: pip install 'oidproxy[{extras}]'",
        file=sys.stderr,
    )
    return 2
