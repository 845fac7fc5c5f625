"""The global options `--scope` and `--scope-carry`, checked while the command line is read."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from oidproxy.osc import sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.scope.tree import Scope

_OF_A_COMMAND = re.compile(r"POOL|ZONE|[^:;<>{}]+\.(?:ya?ml|json)")
"""What two commands take as a `--scope` of their own: designate's `tsigkey create|list|set` one of the words,
watcher's `optimize audittemplate create` a file. Any other command refuses it, so nothing runs unscoped."""


class ScopeAction(argparse.Action):
    """Checks the scope and puts it into the cloud's configuration, with the hook that will carry it out."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Called by argparse for each `--scope`; the last one counts. Ends the program for a bad one."""
        text = str(values)
        spelling = option_string or sources.OPTION
        if spelling == sources.OPTION and _OF_A_COMMAND.fullmatch(text):
            _hand_back(namespace, spelling, text)
            return
        try:
            read(text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"argument {spelling}: {error}")
        put_in_force(namespace, sources.Given(text, sources.OPTION))


class CarryAction(argparse.Action):
    """Adds clouds to those that tokens are carried to, instead of those that the environment names."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Called by argparse for each `--scope-carry`. Ends the program for what names no clouds."""
        from oidproxy.errors import ConfigError
        from oidproxy.osc.carry import read

        before = getattr(namespace, sources.CARRY)
        by_option = [before.text] if before and before.source == sources.CARRY_OPTION else []
        text = ",".join([*by_option, str(values)])
        try:
            read(text)
        except ConfigError as error:
            parser.error(f"argument {option_string or sources.CARRY_OPTION}: {error}")
        put_carry(namespace, sources.GivenCarry(text, sources.CARRY_OPTION))


def put_carry(namespace: argparse.Namespace, given: sources.GivenCarry) -> None:
    """What the client merges into the configuration, for the tokens that go along."""
    setattr(namespace, sources.CARRY, given)
    namespace.vendor_hook = sources.HOOK


def put_in_force(namespace: argparse.Namespace, given: sources.Given) -> None:
    """What the client merges into the configuration of the cloud it is about to call."""
    setattr(namespace, sources.SECTION, given.section())
    namespace.vendor_hook = sources.HOOK


def read(text: str) -> Scope:
    """A scope, as an argument's `type`. Raises ArgumentTypeError with the place of the error."""
    # Imported here: the grammar is of no use to the calls without a scope.
    from oidproxy.errors import ScopeError
    from oidproxy.scope.parse import parse
    from oidproxy.scope.report import render

    try:
        return parse(text)
    except ScopeError as error:
        raise argparse.ArgumentTypeError(render(error)) from None


def add_text(parser: argparse.ArgumentParser) -> None:
    """Let a command take a scope of its own, instead of the one in force."""
    parser.add_argument(
        "text", metavar="<text>", nargs="?", type=read, help="A scope (default: the one in force)"
    )


def _hand_back(namespace: argparse.Namespace, *words: str) -> None:
    """Leave words to the command's own parser.

    argparse appends what stands in this attribute to the arguments it did not recognize, which the client
    gives to the command; its own subparsers use it for the same.
    """
    attribute = argparse._UNRECOGNIZED_ARGS_ATTR
    setattr(namespace, attribute, [*getattr(namespace, attribute, []), *words])
