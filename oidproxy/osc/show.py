"""`openstack scope show`: the scope in force, where it comes from, and which clouds tokens are carried to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from osc_lib.cli import format_columns
from osc_lib.command import command

from oidproxy.osc.in_force import carried_names, in_force
from oidproxy.scope.canonical import canonical
from oidproxy.scope.tag import tag

if TYPE_CHECKING:
    import argparse


class ShowScope(command.ShowOne):  # type: ignore[misc]
    """Show the scope in force and where it comes from"""

    auth_required = False

    def take_action(
        self,
        parsed_args: argparse.Namespace,  # noqa: ARG002 - cliff's interface
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """The scope of every request that this configuration would send; no token is fetched."""
        config = self.app.client_manager.get_configuration()
        found = in_force(config, os.environ)
        bound = bool(found.scope.bindings)
        columns: tuple[str, ...] = ("scope", "source", "tag")
        values: tuple[Any, ...] = (
            canonical(found.scope) if bound else "",
            " over ".join(found.sources) or "none",
            tag(found.scope) if bound else "",
        )
        carried = carried_names(config, os.environ)
        if not carried:
            return columns, values
        return (*columns, "carried"), (*values, format_columns.ListColumn(carried))
