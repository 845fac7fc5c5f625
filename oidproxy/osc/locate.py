"""`openstack scope resource locate`: which of the clouds behind the proxy have an id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osc_lib.command import command
from osc_lib.exceptions import CommandError

from oidproxy.osc.resources import told

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

COLUMNS = ("Cloud", "Service", "Collection", "Name", "Status")


class LocateResource(command.Lister):  # type: ignore[misc]
    """Find the clouds that have a resource, by its ID, among all that admit you

    Every cloud is asked, whatever the scope in force.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """What to look for."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="<id>", help="ID of the resource")
        parser.add_argument(
            "--collection",
            metavar="<service>/<collection>",
            default="",
            help="What it is, as in compute/servers (default: whatever is mostly looked for)",
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="Go on where it was found, in every cloud and among everything that it might be",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """A row per cloud that has it; an error where none has."""
        proxy = self.app.client_manager.oidproxy
        found = proxy.locate(parsed_args.id, parsed_args.collection, everywhere=parsed_args.all)
        silent = told("it is not known whether it is in", found.failed) if found.failed else ""
        if not found.rows:
            reason = f"; {silent}" if silent else ""
            raise CommandError(
                f"none of the {found.asked} clouds that were asked has {parsed_args.id}, or shows it to "
                f"you{reason}"
            )
        if silent:
            self.log.warning("%s", silent[:1].upper() + silent[1:])
        return COLUMNS, [_row(row) for row in found.rows]


def _row(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(column.lower()) for column in COLUMNS)
