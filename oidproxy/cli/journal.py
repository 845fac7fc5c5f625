"""`oidproxy journal`: what was begun in several clouds and is not over; going on with it as the operator."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from oidproxy.clouds.registry import Registry
    from oidproxy.manyclouds.replicating.journal import Attempt, Intent

HEADINGS = ("ID", "WHAT", "SINCE", "CLOUD", "STATE", "WAITS FOR", "WHY")

CLOUDS_YAML = ("clouds.yaml", "~/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml")
"""Where openstack's own clients look for it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`list` and `retry`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = commands.add_parser("list", help="what is not over, and what each of it waits for")
    retry = commands.add_parser("retry", help="look for what is unknown, and delete what is to be deleted")
    for one in (listing, retry):
        one.add_argument(
            "--config", required=True, metavar="FILE", help="the configuration, usually oidproxy.yaml"
        )
    listing.add_argument("--json", action="store_true", help="the same for programs")
    retry.add_argument(
        "--clouds-yaml", metavar="FILE", help=f"the operator's accounts (default: {', '.join(CLOUDS_YAML)})"
    )
    retry.add_argument(
        "--as",
        dest="accounts",
        action="append",
        default=[],
        metavar="CLOUD=ENTRY",
        help="the entry of clouds.yaml for a cloud, where it is not called like the cloud; may be repeated",
    )
    retry.add_argument("ids", nargs="*", metavar="ID", help="only these; as `journal list` shows them")


def run(options: argparse.Namespace) -> int:
    """0 where nothing is left, or only listed; 1 where something could not be finished.

    Raises:
        ConfigError: the configuration or clouds.yaml cannot be used.
        StoreUnavailable: the state cannot be read now.
    """
    from oidproxy.clouds.loading.load import load

    registry = load(options.config)
    if not registry.store:
        raise ConfigError(
            "this configuration names no store, so its journal is its running proxy's own: give it one "
            "(store: /var/lib/oidproxy/state.db)",
            file=options.config,
        )
    if options.action == "list":
        return asyncio.run(_list(registry, as_json=options.json))
    return asyncio.run(_retry(registry, options))


async def _list(registry: Registry, *, as_json: bool) -> int:
    from oidproxy.manyclouds.replicating.keeping import Journal
    from oidproxy.store.opening import open_store

    store = open_store(registry.store, clock=time.time)
    try:
        intents = await Journal(store, time.time).all()
    finally:
        await store.close()
    if as_json:
        print(json.dumps([_document(intent, registry) for intent in intents], indent=2))
    elif intents:
        for line in _table([row for intent in intents for row in _rows(intent, registry)]):
            print(line)
    else:
        print("nothing is left to be done")
    return 0


async def _retry(registry: Registry, options: argparse.Namespace) -> int:
    from oidproxy.cli.retrying import Retrying

    entries = _entries(registry, options.accounts)
    retrying = Retrying(registry, _clouds_yaml(options.clouds_yaml), entries)
    left = await retrying.run(frozenset(options.ids), lambda line: print(line, flush=True))
    if left:
        print(f"{left} left; `oidproxy journal list` says what each waits for", file=sys.stderr)
    return 1 if left else 0


def _clouds_yaml(given: str | None) -> Path:
    named = given or os.environ.get("OS_CLIENT_CONFIG_FILE")
    places = [Path(named)] if named else [Path(one).expanduser() for one in CLOUDS_YAML]
    for place in places:
        if place.exists():
            return place
    raise ConfigError(f"no clouds.yaml in {', '.join(map(str, places))}: give it with --clouds-yaml")


def _entries(registry: Registry, given: Sequence[str]) -> dict[str, str]:
    """Cloud -> entry of clouds.yaml."""
    found = {name: name for name in registry.clouds}
    for pair in given:
        cloud, equals, entry = pair.partition("=")
        if not equals or not entry or cloud not in registry.clouds:
            raise ConfigError(f"--as {pair}: expected CLOUD=ENTRY, with a cloud of the configuration")
        found[cloud] = entry
    return found


# What is shown.


def waits_for(intent: Intent, attempt: Attempt) -> str:
    """What has to happen for this attempt to go on; empty where it is over."""
    from oidproxy.manyclouds.replicating.journal import State

    if attempt.state not in {State.SENDING, State.UNCERTAIN, State.UNDOING}:
        return ""
    if attempt.state is not State.UNDOING and not intent.marked:
        return "somebody to look: it bears no mark"
    owner = intent.owner
    if attempt.entry:
        return f"the proxy itself (account {attempt.entry})"
    return f"a call of user {owner.user}, project {owner.project} of {owner.home}; or journal retry"


def _rows(intent: Intent, registry: Registry) -> Iterator[tuple[str, ...]]:
    for attempt in _open(intent):
        known = "" if attempt.cloud in registry.clouds else " (not in the configuration)"
        yield (
            intent.id,
            f"{intent.verb} {intent.name}{f' {attempt.id}' if attempt.id else ''}",
            _since(intent.begun),
            attempt.cloud + known,
            _state(attempt),
            waits_for(intent, attempt),
            attempt.said,
        )


def _open(intent: Intent) -> tuple[Attempt, ...]:
    """The attempts that are not over; all, where the intent itself is not decided."""
    left = tuple(one for one in intent.attempts if waits_for(intent, one))
    return left or intent.attempts


def _document(intent: Intent, registry: Registry) -> dict[str, object]:
    return {
        "id": intent.id,
        "verb": intent.verb.value,
        "service": intent.service_type,
        "collection": intent.name,
        "since": _since(intent.begun),
        "owner": {
            "home": intent.owner.home,
            "project": intent.owner.project,
            "user": intent.owner.user,
        },
        "clouds": [
            {
                "cloud": one.cloud,
                "configured": one.cloud in registry.clouds,
                "state": _state(one),
                "id": one.id,
                "waits_for": waits_for(intent, one),
                "why": one.said,
            }
            for one in intent.attempts
        ],
    }


def _state(attempt: Attempt) -> str:
    """What may have been sent is uncertain, whether it was looked for or not."""
    return "uncertain" if attempt.state == "sending" else attempt.state.value


def _since(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    whole = [HEADINGS, *rows]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    for row in whole:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
