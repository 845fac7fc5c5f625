"""`openstack scope resource list`: one list of what several clouds have, and which cloud has what."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from osc_lib.command import command
from osc_lib.exceptions import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oidproxy.osc.questions import Listing, Proxy

COLUMNS = ("Name", "ID", "Status", "Cloud")
NAMED = 10
"""Clouds without an answer that are named one by one."""


class ListResources(command.Lister):  # type: ignore[misc]
    """List a collection of every cloud of the scope, with the cloud of each resource"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which collection, and how much of it."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "collection",
            metavar="<service>/<collection>",
            type=_collection,
            help="What to list, as in image/images, compute/servers or network/networks",
        )
        parser.add_argument(
            "--limit", metavar="<number>", type=_number, help="At most so many resources (default: all)"
        )
        parser.add_argument("--marker", metavar="<id>", help="What follows this resource")
        parser.add_argument(
            "--sort", metavar="<key>[:<direction>]", help="Sort by this key of the service's API"
        )
        parser.add_argument(
            "--filter",
            metavar="<key>=<value>",
            action="append",
            type=_pair,
            default=[],
            help="A filter of the service's API; repeat for more",
        )
        parser.add_argument(
            "--field",
            metavar="<key>",
            action="append",
            default=[],
            help="Show this field of the resources, too; repeat for more",
        )
        parser.add_argument(
            "--on-missing",
            choices=("allow", "fail", "unknown"),
            help="Where a cloud does not answer: list the others' (default), fail, or list what is known to "
            "be there with status UNKNOWN",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """A row per resource; what is missing is said on stderr."""
        proxy: Proxy = self.app.client_manager.oidproxy
        found = list(_pages(proxy, parsed_args))
        missing = {cloud: reason for listing in found for cloud, reason in listing.failed.items()}
        if missing and parsed_args.on_missing == "fail":
            raise CommandError(told("No answer from", missing))
        if missing:
            self.log.warning("%s", told("No answer from", missing))
        skipped = {cloud: reason for listing in found for cloud, reason in listing.skipped.items()}
        if skipped:
            self.log.warning("%s", told("Not asked:", skipped))
        fields = tuple(parsed_args.field)
        rows = [_row(row, fields) for listing in found for row in listing.rows]
        return (*COLUMNS, *fields), rows


def _pages(proxy: Proxy, wanted: argparse.Namespace) -> Iterator[Listing]:
    """The pages of the list, until there are as many resources as are wanted, or no more."""
    marker, left = wanted.marker, wanted.limit
    while True:
        question = _question(wanted, marker, left)
        service, name = wanted.collection
        listing = proxy.resources(service, name, question, wanted.on_missing)
        yield listing
        left = None if left is None else left - len(listing.rows)
        if not listing.marker or left == 0 or listing.marker == marker:
            return
        marker = listing.marker


def _question(wanted: argparse.Namespace, marker: str | None, limit: int | None) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = list(wanted.filter)
    if wanted.sort:
        key, _, direction = wanted.sort.partition(":")
        pairs += [("sort_key", key), ("sort_dir", direction or "asc")]
    if limit is not None:
        pairs.append(("limit", str(limit)))
    if marker:
        pairs.append(("marker", marker))
    return pairs


def _row(found: Mapping[str, Any], fields: Iterable[str]) -> tuple[Any, ...]:
    resource = found.get("resource")
    told = _unwrapped(resource) if isinstance(resource, dict) else {}
    identity = told.get("id", told.get("uuid"))
    return (
        told.get("name", told.get("display_name")),
        told.get("name") if identity is None else identity,
        told.get("status"),
        found.get("cloud"),
        *(told.get(field) for field in fields),
    )


def _unwrapped(resource: dict[str, Any]) -> dict[str, Any]:
    """What a list wraps singly, as Nova's keypairs: `{"keypair": {…}}`."""
    [*values] = resource.values()
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else resource


def told(what: str, clouds: Mapping[str, str]) -> str:
    """These clouds by name, and why, as far as there are few."""
    named = [f"{cloud} ({reason})" if reason else cloud for cloud, reason in sorted(clouds.items())]
    rest = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"{what} {', '.join(named[:NAMED])}{rest}"


def _collection(text: str) -> tuple[str, str]:
    service, _, name = text.partition("/")
    if not service or not name:
        raise argparse.ArgumentTypeError(f"expected <service>/<collection> as in image/images, got {text!r}")
    return service, name


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"expected <key>=<value>, got {text!r}")
    return key, value
