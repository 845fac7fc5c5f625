"""Outcomes as columns: some 120 bytes for each, gathered in any order, given out in the trace's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidproxy.trace.results.outcome import Outcome

    Array = np.ndarray[Any, np.dtype[Any]]

NUMBERS = {
    "n": "int64",
    "loop": "int32",
    "intended_ns": "int64",
    "sent_ns": "int64",
    "waited_ns": "int64",
    "first_byte_ns": "int64",
    "done_ns": "int64",
    "status": "int16",
    "recorded_status": "int16",
    "bytes_in": "int64",
    "bytes_out": "int64",
}
"""Field of an outcome -> how it is held."""

WORDS = ("method", "service", "template", "cloud", "home", "error", "unmatched", "clouds", "made_up")
"""Fields with few different values: each is held as a number."""

GATHERED = 8192
"""Outcomes that wait as objects."""

STOPPED = "stopped"
"""`Outcome.error` of what was under way when the replay was stopped: nobody knows its latency."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes between clouds: row of the table, from, to (both index `names`), how many."""

    row: Array
    source: Array
    target: Array
    count: Array
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Outcomes in the order of loop and number."""

    numbers: Mapping[str, Array]
    codes: Mapping[str, Array]
    words: Mapping[str, tuple[Any, ...]]
    """Field -> its values in order; `codes` index them."""
    moved: Moved

    def __len__(self) -> int:
        return len(self.numbers["n"])

    @property
    def unmatched(self) -> Array:
        """Which were not sent."""
        words = np.array([bool(one) for one in self.words["unmatched"]] or [False])
        found: Array = words[self.codes["unmatched"]]
        return found

    @property
    def timed(self) -> Array:
        """Which have a latency: all that were sent, but those under way when the replay was stopped."""
        stopped = np.array([one == STOPPED for one in self.words["error"]] or [False])
        found: Array = ~self.unmatched & ~stopped[self.codes["error"]]
        return found

    @property
    def failed(self) -> Array:
        """Which got no answer, or one that says that a server failed (5xx)."""
        status = self.numbers["status"]
        found: Array = ~self.unmatched & ((status == 0) | (status >= 500))
        return found

    @property
    def latency(self) -> Array:
        """Nanoseconds from the intended time to the end."""
        found: Array = self.numbers["done_ns"] - self.numbers["intended_ns"]
        return found

    @property
    def lag(self) -> Array:
        """Nanoseconds that the sender itself was late."""
        found: Array = self.numbers["sent_ns"] - self.numbers["intended_ns"] - self.numbers["waited_ns"]
        return found

    def places(self) -> list[tuple[str, str]]:
        """Every service and cloud that occur together."""
        return [
            (self.words["service"][a], self.words["cloud"][b]) for a, b in self.groups("service", "cloud")
        ]

    def groups(self, *fields: str) -> dict[tuple[int, ...], Array]:
        """Codes of these fields -> rows, for what has a latency."""
        return grouped(self, np.flatnonzero(self.timed), fields)


class Columns:
    """Takes outcomes one by one."""

    def __init__(self) -> None:
        self._waiting: list[Outcome] = []
        self._parts: dict[str, list[Array]] = {name: [] for name in (*NUMBERS, *WORDS)}
        self._codes: dict[str, dict[Any, int]] = {name: {} for name in WORDS}
        self._moved: list[tuple[int, int, int, int]] = []
        self._moved_parts: list[Array] = []
        self._clouds: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count + len(self._waiting)

    def add(self, outcome: Outcome) -> None:
        """Take one."""
        self._waiting.append(outcome)
        if len(self._waiting) >= GATHERED:
            self._take()

    def extend(self, outcomes: Iterable[Outcome]) -> None:
        """Take many."""
        for one in outcomes:
            self.add(one)

    def table(self) -> Table:
        """All of it; more may be added afterwards."""
        self._take()
        held = {name: _joined(parts, NUMBERS.get(name, "int32")) for name, parts in self._parts.items()}
        order = np.lexsort((held["n"], held["loop"]))
        codes, words = {}, {}
        for name in WORDS:
            codes[name], words[name] = _sorted_words(held[name][order], self._codes[name])
        return Table({name: held[name][order] for name in NUMBERS}, codes, words, self._moved_table(order))

    def _take(self) -> None:
        waiting = self._waiting
        if not waiting:
            return
        for name, kind in NUMBERS.items():
            self._parts[name].append(np.array([getattr(one, name) for one in waiting], dtype=kind))
        for name in WORDS:
            known = self._codes[name]
            found = [known.setdefault(getattr(one, name), len(known)) for one in waiting]
            self._parts[name].append(np.array(found, dtype="int32"))
        for row, one in enumerate(waiting, self._count):
            for source, target, count in one.moved:
                self._moved.append((row, self._cloud(source), self._cloud(target), count))
        if self._moved:
            self._moved_parts.append(np.array(self._moved, dtype="int64"))
            self._moved.clear()
        self._count += len(waiting)
        waiting.clear()

    def _cloud(self, name: str) -> int:
        return self._clouds.setdefault(name, len(self._clouds))

    def _moved_table(self, order: Array) -> Moved:
        held = np.concatenate(self._moved_parts) if self._moved_parts else np.zeros((0, 4), dtype="int64")
        place = np.empty(self._count, dtype="int64")
        place[order] = np.arange(self._count)
        names = tuple(sorted(self._clouds))
        renamed = np.array([names.index(one) for one in self._clouds] or [0])
        source, target = renamed[held[:, 1]], renamed[held[:, 2]]
        rows = place[held[:, 0]]
        sorting = np.lexsort((held[:, 3], target, source, rows))
        return Moved(rows[sorting], source[sorting], target[sorting], held[sorting, 3], names)


def grouped(table: Table, rows: Array, fields: tuple[str, ...]) -> dict[tuple[int, ...], Array]:
    """Codes of these fields -> which of the rows have them."""
    key = np.zeros(len(rows), dtype="int64")
    for name in fields:
        key = key * max(len(table.words[name]), 1) + table.codes[name][rows]
    order = np.argsort(key, kind="stable")
    _, starts = np.unique(key[order], return_index=True)
    found = {}
    for part in np.split(rows[order], starts[1:]) if len(rows) else []:
        found[tuple(int(table.codes[name][part[0]]) for name in fields)] = part
    return found


def _joined(parts: list[Array], kind: str) -> Array:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)


def _sorted_words(codes: Array, known: dict[Any, int]) -> tuple[Array, tuple[Any, ...]]:
    """The same values whatever the order in which they were met."""
    words = sorted(known)
    renamed = np.zeros(max(len(known), 1), dtype="int32")
    for new, word in enumerate(words):
        renamed[known[word]] = new
    return renamed[codes], tuple(words)
