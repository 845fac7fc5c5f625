"""`oidproxy config check`: whether a configuration can be used, and where each service of each cloud is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from oidproxy.clouds.asking import Ask
    from oidproxy.clouds.catalog import Learned
    from oidproxy.clouds.loading.load import Loaded
    from oidproxy.clouds.registry import Registry

NAMES_SHOWN = 8
HEADINGS = ("SERVICE", "CLOUD", "REGION", "URL", "FROM")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`check FILE`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = commands.add_parser(
        "check", help="read a configuration and show where each service of each cloud is"
    )
    check.add_argument("file", metavar="FILE", help="the configuration, usually oidproxy.yaml")
    check.add_argument(
        "--offline",
        action="store_true",
        help="ask no cloud for its endpoints; those to be learned stay unknown",
    )


def run(options: argparse.Namespace) -> int:
    """Table on stdout, notices and errors on stderr; 2 if anything is wrong or a cloud could not be asked."""
    from oidproxy.clouds.loading import asked, load

    try:
        loaded = load.read(options.file, learn=_ask_nobody if options.offline else asked.learn)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    for line in _table(loaded.registry):
        print(line)
    print(f"\n{_summary(options.file, loaded.registry)}")
    for line in _asked(loaded.registry):
        print(line)
    _report(loaded, offline=options.offline)
    return 2 if loaded.unlearned and not options.offline else 0


def _report(loaded: Loaded, *, offline: bool) -> None:
    for notice in loaded.notices:
        print(f"warning: {notice}", file=sys.stderr)
    for notice in loaded.unlearned:
        print(f"warning: {notice}" if offline else notice, file=sys.stderr)


def _ask_nobody(_clouds_yaml: str, asks: Sequence[Ask], _timeout: float) -> Mapping[str, Learned]:
    from oidproxy.clouds.catalog import Learned

    return {ask.cloud: Learned(ask.cloud, "not asked (--offline)", ask.auth_url or "") for ask in asks}


def _table(registry: Registry) -> Iterator[str]:
    """Service by service, each in the order of the clouds."""
    rows = [HEADINGS, *sorted(_rows(registry), key=lambda row: row[0])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _rows(registry: Registry) -> Iterator[tuple[str, ...]]:
    for (cloud, service_type), endpoints in registry.index.items():
        for one in endpoints:
            yield service_type, cloud, one.region, one.catalog_url("%(project_id)s"), one.source


def _asked(registry: Registry) -> Iterator[str]:
    """Whom the clouds' services ask about tokens: what they are sent has to fit that."""
    beside = {listener.cloud for listener in registry.listeners}
    whom: dict[str, list[str]] = {}
    for name, cloud in registry.clouds.items():
        if cloud.direct:
            answer = "their own Keystone (exchange)"
        elif name in beside:
            answer = "this proxy, by a listener of their own"
        else:
            answer = "another proxy of yours; if it is their own Keystone, give exchange: []"
        whom.setdefault(answer, []).append(name)
    for answer, names in whom.items():
        shown = ", ".join(names[:NAMES_SHOWN]) + (" …" if len(names) > NAMES_SHOWN else "")
        yield f"the services of {shown} ask {answer}"


def _summary(file: str, registry: Registry) -> str:
    endpoints = sum(map(len, registry.index.values()))
    counts = (("cloud", len(registry.clouds)), ("endpoint", endpoints), ("listener", len(registry.listeners)))
    listing = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts)
    return f"{file}: {listing}; the local cloud is {registry.local}"
