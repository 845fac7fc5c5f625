"""`openstack scope explain`: what the proxy would do under a scope, service by service, and why."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from osc_lib.cli import format_columns
from osc_lib.command import command
from osc_lib.exceptions import CommandError

from oidproxy.osc.in_force import carried_names
from oidproxy.osc.option import add_text
from oidproxy.scope.canonical import canonical

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from oidproxy.osc.questions import Explanation

COLUMNS = ("Service", "Carrier", "Plan", "Clouds", "Token", "Error")


class ExplainScope(command.Lister):  # type: ignore[misc]
    """Ask the proxy which clouds would serve each service under a scope, and why"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The text defaults to the scope in force."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        add_text(parser)
        parser.add_argument(
            "--method", metavar="<method>", default="", help="Explain a request of this method"
        )
        parser.add_argument(
            "--path",
            metavar="<path>",
            default="",
            help="Explain a request for this path at the proxy, as in /image/v2/images",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """A row per service; where tokens are carried, with the clouds of the row that get one."""
        if parsed_args.method and not parsed_args.path:
            raise CommandError("--method explains one request, so it needs --path")
        text = canonical(parsed_args.text) if parsed_args.text else None
        manager = self.app.client_manager
        carried = carried_names(manager.get_configuration(), os.environ)
        told = manager.oidproxy.explain(text, parsed_args.method, parsed_args.path)
        if not told.services and told.decision:
            self.log.warning(
                "No service gets this request. The proxy's own decision: %s%s", told.decision, _reason(told)
            )
        rows = [_row(row) for row in told.services]
        if not carried:
            return COLUMNS, rows
        meant = [_carried_to(row, carried) for row in told.services]
        useless = set(carried).difference(*meant)
        if useless and not parsed_args.path:
            self.log.warning(
                "No service goes to a cloud whose token is carried: %s", ", ".join(sorted(useless))
            )
        columns = map(format_columns.ListColumn, meant)
        return (*COLUMNS, "Carried"), [(*row, names) for row, names in zip(rows, columns, strict=True)]


def _carried_to(row: Mapping[str, Any], carried: Iterable[str]) -> list[str]:
    clouds = set(row.get("clouds") or ())
    return [cloud for cloud in carried if cloud in clouds]


def _reason(told: Explanation) -> str:
    said = " ".join(str(part) for part in (told.status, told.error) if part is not None)
    return f" ({said})" if said else ""


def _row(row: Mapping[str, Any]) -> tuple[Any, ...]:
    plan = row.get("plan")
    return (
        row.get("service"),
        row.get("carrier"),
        plan if plan is None or isinstance(plan, str) else json.dumps(plan),
        format_columns.ListColumn(row.get("clouds")),
        row.get("token"),
        row.get("error"),
    )
