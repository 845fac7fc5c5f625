"""`openstack scope check`: whether a text is a scope, how it reads canonically, and which clouds it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osc_lib.cli import format_columns
from osc_lib.command import command

from oidproxy.osc.option import read
from oidproxy.scope.canonical import canonical
from oidproxy.scope.tag import tag

if TYPE_CHECKING:
    import argparse


class CheckScope(command.ShowOne):  # type: ignore[misc]
    """Check a scope; show its canonical text and tag, and with --clouds the clouds it means"""

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """A text that is no scope ends the program here, with status 2."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("text", metavar="<text>", type=read, help="The scope to check")
        parser.add_argument(
            "--clouds",
            action="store_true",
            help="Also ask the proxy which clouds serve each service under this scope",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Canonical text and tag; with `--clouds` the clouds by service."""
        text = canonical(parsed_args.text)
        columns, values = ("scope", "tag"), (text, tag(parsed_args.text))
        if not parsed_args.clouds:
            return columns, values
        return (*columns, "clouds"), (*values, format_columns.DictListColumn(self._clouds(text)))

    def _clouds(self, text: str) -> dict[str, list[str]]:
        manager = self.app.client_manager
        # Without --clouds this command works offline, so the client was not asked to prepare credentials.
        manager._auth_required = True
        manager.setup_auth()
        rows = manager.oidproxy.explain(text).services
        return {str(row.get("service")): list(row.get("clouds") or ()) for row in rows}
