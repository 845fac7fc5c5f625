"""The state of a proxy under test as nobody but a test would look at it: a SQLite file, or a Redis server."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import redis

if TYPE_CHECKING:
    from pathlib import Path

ENTRY, LEASE = b"oidproxy:entry:", b"oidproxy:lease:"


class InFile:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def empty(self) -> None:
        """Nothing is remembered."""
        self._change("DELETE FROM entry")

    def release_leases(self) -> None:
        """Those of a killed process end by themselves in half a minute."""
        self._change("DELETE FROM lease")

    def journal(self) -> list[bytes]:
        """Its records."""
        with closing(sqlite3.connect(self.path)) as state:
            rows = state.execute("SELECT value FROM entry WHERE key LIKE 'journal/%'").fetchall()
        return [bytes(value) for (value,) in rows]

    def stored(self) -> bytes:
        """Everything that it holds."""
        paths = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return b"".join(path.read_bytes() for path in paths if path.exists())

    def _change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path, timeout=10.0)) as state:
            state.execute(statement)
            state.commit()


class OnServer:
    """A server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def empty(self) -> None:
        """Nothing is remembered."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def release_leases(self) -> None:
        """Those of a killed process end by themselves in half a minute."""
        with redis.Redis.from_url(self.url) as client:
            for key in client.scan_iter(LEASE + b"*"):
                client.delete(key)

    def journal(self) -> list[bytes]:
        """Its records."""
        with redis.Redis.from_url(self.url) as client:
            keys = sorted(client.scan_iter(ENTRY + b"journal/*"))
            return [value for value in (client.mget(keys) if keys else []) if value is not None]

    def stored(self) -> bytes:
        """Everything that it holds."""
        with redis.Redis.from_url(self.url) as client:
            return b"".join(client.dump(key) or b"" for key in client.scan_iter())
