"""What a replay that was stopped leaves for the run that goes on with it: ids and names, never a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from oidproxy.errors import ConfigError
from oidproxy.trace.results import parquet
from oidproxy.trace.results.folder import REQUESTS, read_manifest
from oidproxy.trace.results.outcome import Outcome
from oidproxy.trace.results.table import NUMBERS, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from oidproxy.trace.remapping import Remapping
    from oidproxy.trace.results.manifest import Manifest
    from oidproxy.trace.results.table import Table

STATE = "resume.json"


class Learned(msgspec.Struct, frozen=True):
    """What one loop learned."""

    ids: dict[str, str] = {}
    names: dict[str, str] = {}


def write_state(folder: Path, loops: Mapping[int, Remapping]) -> None:
    """Keep what was learned. Raises OSError."""
    found = {str(number): Learned(dict(one.learned), dict(one.names)) for number, one in loops.items()}
    path = folder / STATE
    path.write_bytes(msgspec.json.encode(found))
    path.chmod(0o600)


def read_state(folder: Path) -> Mapping[int, Learned]:
    """What was learned, by loop; nothing where the run was not stopped. Raises ConfigError, OSError."""
    path = folder / STATE
    if not path.exists():
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Learned])
    except msgspec.DecodeError as error:
        raise ConfigError(f"this cannot be read: {error}", file=str(path)) from None
    return {int(number): one for number, one in found.items()}


def check(folder: Path, manifest: Manifest) -> Manifest:
    """The manifest of the run that was stopped; it has to be of the same trace and the same options.

    Raises:
        ConfigError: it is another one.
    """
    before = read_manifest(folder)
    for what, ours, theirs in (
        ("trace", manifest.trace_digest, before.trace_digest),
        ("options", manifest.config_digest, before.config_digest),
    ):
        if ours != theirs:
            raise ConfigError(
                f"this run had another {what}: it cannot be resumed with these", file=str(folder)
            )
    return before


def read_outcomes(folder: Path) -> tuple[Table, Iterator[Outcome]]:
    """What an earlier run did. Raises ConfigError, OSError."""
    table = parquet.read(folder / REQUESTS)
    return table, _outcomes(table)


def done(table: Table) -> Mapping[int, frozenset[int]]:
    """Loop -> the requests that are done."""
    loops, numbers = table.numbers["loop"], table.numbers["n"]
    return {int(loop): frozenset(numbers[loops == loop].tolist()) for loop in np.unique(loops)}


def _outcomes(table: Table) -> Iterator[Outcome]:
    moved: dict[int, list[tuple[str, str, int]]] = {}
    held = table.moved
    for row, source, target, count in zip(held.row, held.source, held.target, held.count, strict=True):
        moved.setdefault(int(row), []).append((held.names[source], held.names[target], int(count)))
    for row in range(len(table)):
        fields: dict[str, Any] = {name: int(table.numbers[name][row]) for name in NUMBERS}
        fields |= {name: table.words[name][table.codes[name][row]] for name in WORDS}
        yield Outcome(**fields, moved=tuple(moved.get(row, ())))
