"""`openstack scope show`: the scope in force, and where it comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from osc_lib.command import command

from oidproxy.osc.in_force import in_force
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
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The scope of every request that this configuration would send."""
        found = in_force(self.app.client_manager.get_configuration(), os.environ)
        bound = bool(found.scope.bindings)
        return ("scope", "source", "tag"), (
            canonical(found.scope) if bound else "",
            " over ".join(found.sources) or "none",
            tag(found.scope) if bound else "",
        )
