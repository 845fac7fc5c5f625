"""The location index in the state file: read at once by every worker, written by the parent's thread.

Theory of operation. `place` holds a row for each id and cloud, in the order of the ids, which are digests: so
rows lie in no order that anybody chooses, a run of rows from any place on is a fair sample, and by such
samples some are chosen to be forgotten. What is written comes in small transactions with pauses between them,
since the workers' journals lie in the same file.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError, StoreUnavailable
from oidproxy.store.fairness import share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

AT_ONCE = 256
"""Rows of one transaction: others wait for some milliseconds at most."""

PAUSE = 0.005
"""Seconds between two transactions, in which others may write."""

SAMPLE = 4096
SAMPLES_AT_ONCE = 64
"""Looked at each time to find what is to be forgotten: more than is learned in a second."""

BUSY_SECONDS = 5.0

_FIND = "SELECT holder FROM place WHERE id = ?"
_HOLDERS = "SELECT number, name, held FROM holder"
_NEW_HOLDER = "INSERT INTO holder (name, held) VALUES (?, 0) ON CONFLICT (name) DO NOTHING"
_ADD = "INSERT INTO place (id, holder) VALUES (?, ?) ON CONFLICT DO NOTHING"
_COUNT = "UPDATE holder SET held = held + ? WHERE number = ?"
_SAMPLE = "SELECT id, holder FROM place WHERE id >= ? ORDER BY id LIMIT ?"
_FORGET = "DELETE FROM place WHERE id = ? AND holder = ?"

_log = logging.getLogger("oidproxy.store")


class SqliteIndex:
    """Implements `store.terms.Index`. `at_most` ids are kept; `draw` gives 64 random bits, signed."""

    __slots__ = ("_at_most", "_draw", "_names", "_reading", "_thread", "_writing")

    def __init__(self, path: Path, *, at_most: int, draw: Callable[[], int] | None = None) -> None:
        """Raises ConfigError: the file cannot be opened."""
        self._at_most = at_most
        self._draw = draw or _random
        self._names: dict[int, str] = {}
        try:
            self._reading = _open(path, 0.0)
            self._writing = _open(path, BUSY_SECONDS)
        except sqlite3.Error as error:
            raise ConfigError(f"store: cannot be opened: {error}", file=str(path)) from None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")

    async def clouds(self, key: int) -> tuple[str, ...]:
        """Whoever was seen to hold this id."""
        return self.clouds_now(key)

    def clouds_now(self, key: int) -> tuple[str, ...]:
        """The same: it takes some microseconds."""
        try:
            found = self._reading.execute(_FIND, (key,)).fetchall()
            return tuple([self._name(number) for (number,) in found]) if found else ()
        except sqlite3.Error as error:
            _log.warning("the location index cannot be read now: %s", error)
            return ()

    async def add(self, found: Mapping[str, Sequence[int]]) -> None:
        """Cloud -> keys of ids that it was seen to hold."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._add, found)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The location index cannot be written now: {error}") from None

    async def close(self) -> None:
        """Finish what was begun."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writing.close)
        self._reading.close()
        self._thread.shutdown()

    def _name(self, number: int) -> str:
        name = self._names.get(number)
        if name is None:
            self._names = {number: name for number, name, _ in self._reading.execute(_HOLDERS)}
            name = self._names[number]
        return name

    # In the thread.

    def _add(self, found: Mapping[str, Sequence[int]]) -> None:
        numbers = self._numbers(found)
        rows = sorted((key, numbers[cloud]) for cloud, keys in found.items() for key in keys)
        for some in _pieces(rows):
            self._transaction(_ADD, some, 1)
        self._bound()

    def _numbers(self, clouds: Mapping[str, Sequence[int]]) -> dict[str, int]:
        known = {name: number for number, name, _ in self._writing.execute(_HOLDERS)}
        if clouds.keys() - known.keys():
            self._writing.executemany(_NEW_HOLDER, [(name,) for name in clouds])
            known = {name: number for number, name, _ in self._writing.execute(_HOLDERS)}
        return known

    def _bound(self) -> None:
        """Forget what is too much, of the clouds that have more than their share."""
        for _ in range(SAMPLES_AT_ONCE):
            held = {number: count for number, _, count in self._writing.execute(_HOLDERS)}
            excess = sum(held.values()) - self._at_most
            if excess <= 0:
                return
            fair = share(held.values(), self._at_most)
            over = {number: count - fair for number, count in held.items() if count > fair}
            chosen = self._sample(over, excess)
            for some in _pieces(chosen):
                self._transaction(_FORGET, some, -1)

    def _sample(self, over: dict[int, int], excess: int) -> list[tuple[int, int]]:
        """Random rows of these, at most so many of each, and of all."""
        rows = self._writing.execute(_SAMPLE, (self._draw(), SAMPLE)).fetchall()
        chosen: list[tuple[int, int]] = []
        for key, number in rows:
            if over.get(number, 0) > 0 and len(chosen) < excess:
                over[number] -= 1
                chosen.append((key, number))
        return chosen

    def _transaction(self, statement: str, rows: Sequence[tuple[int, int]], sign: int) -> None:
        by_holder: dict[int, list[tuple[int, int]]] = {}
        for row in rows:
            by_holder.setdefault(row[1], []).append(row)
        connection = self._writing
        connection.execute("BEGIN IMMEDIATE")
        try:
            for number, mine in by_holder.items():
                changed = connection.executemany(statement, mine).rowcount
                if changed:
                    connection.execute(_COUNT, (sign * changed, number))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _pieces(rows: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    for begin in range(0, len(rows), AT_ONCE):
        if begin:
            time.sleep(PAUSE)
        yield rows[begin : begin + AT_ONCE]


def _random() -> int:
    return int.from_bytes(os.urandom(8), "big", signed=True)


def _open(path: Path, busy: float) -> sqlite3.Connection:
    # Used by one thread each, but the second not by the one that made it.
    connection = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT 1 FROM place LIMIT 1")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
