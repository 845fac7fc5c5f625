"""`openstack scope cloud list`: the clouds that a scope may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osc_lib.cli import format_columns
from osc_lib.command import command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

COLUMNS = ("Name", "Regions", "Groups", "Services", "Home")


class ListClouds(command.Lister):  # type: ignore[misc]
    """List the clouds behind the proxy that admit you"""

    def take_action(
        self,
        parsed_args: argparse.Namespace,  # noqa: ARG002 - cliff's interface
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """A row per cloud; Home is true for the one that issued the token."""
        return COLUMNS, [_row(cloud) for cloud in self.app.client_manager.oidproxy.clouds()]


def _row(cloud: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        cloud.get("name"),
        format_columns.ListColumn(cloud.get("regions")),
        format_columns.ListColumn(cloud.get("groups")),
        format_columns.ListColumn(cloud.get("services")),
        bool(cloud.get("home")),
    )
