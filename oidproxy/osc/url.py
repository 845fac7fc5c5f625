"""`openstack scope url`: an auth URL that binds any other client to a scope."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from osc_lib.command import command
from osc_lib.exceptions import CommandError

from oidproxy.errors import ScopeError
from oidproxy.osc import address
from oidproxy.osc.in_force import in_force
from oidproxy.osc.option import add_text
from oidproxy.scope.canonical import canonical
from oidproxy.scope.report import render
from oidproxy.scope.url import auth_url

if TYPE_CHECKING:
    import argparse


class ScopeUrl(command.ShowOne):  # type: ignore[misc]
    """Show the auth URL that binds a client without this plugin to a scope"""

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The text defaults to the scope in force."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        add_text(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The URL and the scope it holds."""
        config = self.app.client_manager.get_configuration()
        scope = parsed_args.text or in_force(config, os.environ).scope
        if not scope.bindings:
            raise CommandError("no scope is in force: give one as argument, or with --scope")
        try:
            url = auth_url(scope, address.root(address.auth_url(config)))
        except ScopeError as error:
            raise CommandError(render(error)) from None
        return ("url", "scope"), (url, canonical(scope))
