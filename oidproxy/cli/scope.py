"""`oidproxy scope`: reads a scope, turns it into a tag, a URL, an explanation; status 2 if it is wrong."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

from oidproxy.errors import BadRequest, ScopeError
from oidproxy.scope.canonical import canonical
from oidproxy.scope.outline import outline
from oidproxy.scope.parse import parse
from oidproxy.scope.report import render
from oidproxy.scope.tag import tag, untag

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


class _Command(NamedTuple):
    purpose: str
    run: Callable[[argparse.Namespace], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands and their arguments."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    added = {
        name: commands.add_parser(name, help=it.purpose, description=it.purpose)
        for name, it in _COMMANDS.items()
    }
    for name in ("parse", "tag", "url", "explain"):
        added[name].add_argument(
            "text", metavar="TEXT", help="a scope, as '<keystone:cloud-1;glance:cloud-999>'"
        )
    added["untag"].add_argument("tag", metavar="TAG", help="the x and the digits that follow /s/ in a URL")
    added["url"].add_argument(
        "--base", required=True, metavar="URL", help="the proxy, as https://proxy.example:8888"
    )
    _add_explain(added["explain"])
    for name in ("parse", "explain"):
        added[name].add_argument("--json", action="store_true", help="answer in JSON")


def run(options: argparse.Namespace) -> int:
    """Do what the subcommand says; its answer goes to stdout, an error to stderr."""
    try:
        return _COMMANDS[options.action].run(options)
    except ScopeError as error:
        return _refused(options, render(error))
    except BadRequest as error:
        return _refused(options, error.message)


def _refused(options: argparse.Namespace, why: str) -> int:
    print(f"oidproxy scope {options.action}: {why}", file=sys.stderr)
    return 2


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE", help="the proxy's configuration")
    parser.add_argument(
        "--path", metavar="P", help="explain a request for this path, as /compute/v2.1/servers"
    )
    parser.add_argument("--method", metavar="M", help="its method (default: GET)")


def _parse(options: argparse.Namespace) -> int:
    scope = parse(options.text)
    print(json.dumps(outline(scope), indent=2, ensure_ascii=False) if options.json else canonical(scope))
    return 0


def _tag(options: argparse.Namespace) -> int:
    print(tag(parse(options.text)))
    return 0


def _untag(options: argparse.Namespace) -> int:
    print(canonical(untag(options.tag)))
    return 0


def _url(options: argparse.Namespace) -> int:
    from oidproxy.scope.url import auth_url

    print(auth_url(parse(options.text), options.base))
    return 0


def _explain(options: argparse.Namespace) -> int:
    from oidproxy.cli.explain import run_explain

    if options.method is not None and options.path is None:
        raise BadRequest("--method explains one request, so it needs --path")
    return run_explain(options.text, options.config, options.method or "GET", options.path, options.json)


_COMMANDS = {
    "parse": _Command("print the canonical text of a scope", _parse),
    "tag": _Command("print the tag that stands for a scope in URLs", _tag),
    "untag": _Command("print the scope that a tag stands for", _untag),
    "url": _Command("print the auth URL that gives any client a scope", _url),
    "explain": _Command("say where a request under a scope would go, and why", _explain),
}
