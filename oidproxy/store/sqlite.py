"""The shared state in a SQLite file: a thread writes, so that the event loop waits for no lock and no disk.

Each worker opens the file itself; the parent has prepared it (`store.preparing`). Reads by `peek` use a
connection of the loop's own: with write-ahead logging a reader waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from oidproxy.errors import ConfigError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUSY_SECONDS = 5.0
"""How long the writing thread waits for other processes; what they write takes well below a millisecond."""

TIDY_SECONDS = 60.0
TIDIED_AT_MOST = 500
"""Ended entries and leases deleted at one time: nobody waits long for it."""

_GET = "SELECT value FROM entry WHERE key = ? AND until > ?"
_SCAN = "SELECT key, value FROM entry WHERE key >= ? AND key < ? AND until > ? ORDER BY key LIMIT ?"
_PUT = (
    "INSERT INTO entry (key, value, until) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, until = excluded.until"
)
_DROP = "DELETE FROM entry WHERE key = ?"
_CLAIM = (
    "INSERT INTO lease (key, owner, until) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, until = excluded.until "
    "WHERE lease.owner = excluded.owner OR lease.until <= ?"
)
_RELEASE = "DELETE FROM lease WHERE key = ? AND owner = ?"
_TIDY = (
    "DELETE FROM entry WHERE key IN (SELECT key FROM entry WHERE until <= ? LIMIT ?)",
    "DELETE FROM lease WHERE key IN (SELECT key FROM lease WHERE until <= ? LIMIT ?)",
)

_log = logging.getLogger("oidproxy.store")

T = TypeVar("T")


class SqliteStore:
    """Implements `store.terms.Store`. `clock` gives seconds since the epoch."""

    __slots__ = ("_clock", "_reading", "_thread", "_tidied", "_writing")

    def __init__(self, path: Path, *, clock: Callable[[], float]) -> None:
        """Raises ConfigError: the file cannot be opened."""
        self._clock = clock
        self._tidied = clock()
        try:
            self._reading = _open(path, 0.0)
            self._writing = _open(path, BUSY_SECONDS)
        except sqlite3.Error as error:
            raise ConfigError(f"store: cannot be opened: {error}", file=str(path)) from None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def get(self, key: str) -> bytes | None:
        """The value, until its end."""
        return await self._do(lambda: self._get(self._writing, key))

    async def put(self, key: str, value: bytes, *, until: float, durable: bool = False) -> None:
        """Keep a value, in the place of another one."""
        await self._do(lambda: self._put(key, value, until, durable=durable))

    async def drop(self, key: str) -> None:
        """Forget it."""
        await self._do(lambda: self._change(_DROP, key))

    async def scan(self, prefix: str, *, most: int) -> list[tuple[str, bytes]]:
        """The entries whose keys begin so, in the order of keys; not more than `most`."""
        return await self._do(lambda: self._scan(prefix, most))

    async def claim(self, key: str, owner: str, *, until: float) -> bool:
        """Take a lease, or prolong it."""
        return await self._do(lambda: self._change(_CLAIM, key, owner, until, self._clock())) == 1

    async def release(self, key: str, owner: str) -> None:
        """End a lease now."""
        await self._do(lambda: self._change(_RELEASE, key, owner))

    def peek(self, key: str) -> bytes | None:
        """The value at once, some ten microseconds; None also where it cannot be read."""
        try:
            return self._get(self._reading, key)
        except sqlite3.Error as error:
            _log.warning("the state file cannot be read now: %s", error)
            return None

    async def close(self) -> None:
        """Finish what was begun."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writing.close)
        self._reading.close()
        self._thread.shutdown()

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            _log.error("the state file cannot be used: %s", error)
            raise StoreUnavailable("The proxy's own state cannot be used now; its log says why.") from None

    def _get(self, connection: sqlite3.Connection, key: str) -> bytes | None:
        row = connection.execute(_GET, (key, self._clock())).fetchone()
        return None if row is None else bytes(row[0])

    def _scan(self, prefix: str, most: int) -> list[tuple[str, bytes]]:
        # Every key that begins so, and no other, is below the prefix with the last character there is.
        last = f"{prefix}\U0010ffff"
        rows = self._writing.execute(_SCAN, (prefix, last, self._clock(), most))
        return [(str(key), bytes(value)) for key, value in rows]

    def _put(self, key: str, value: bytes, until: float, *, durable: bool) -> None:
        if durable:
            self._writing.execute("PRAGMA synchronous = FULL")
        try:
            self._change(_PUT, key, value, until)
        finally:
            if durable:
                self._writing.execute("PRAGMA synchronous = NORMAL")
        now = self._clock()
        if now - self._tidied >= TIDY_SECONDS:
            self._tidied = now
            for statement in _TIDY:
                self._change(statement, now, TIDIED_AT_MOST)

    def _change(self, statement: str, *values: Any) -> int:  # noqa: ANN401 - whatever SQLite stores
        """Each is a transaction of its own. The number of rows that it changed."""
        return self._writing.execute(statement, values).rowcount


def _open(path: Path, busy: float) -> sqlite3.Connection:
    # Used by one thread each, but the second not by the one that made it.
    connection = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    try:
        # With write-ahead logging this loses nothing but to a power failure (sqlite.org/pragma.html).
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT 1 FROM entry LIMIT 1")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
