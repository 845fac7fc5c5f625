"""The state file before anybody serves: found, created for its owner alone, brought to the newest form."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError
from oidproxy.store.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY_SECONDS = 10.0
_PRIVATE = stat.S_IRUSR | stat.S_IWUSR


def prepare(path: Path) -> None:
    """Create the file if it is not there, readable by its owner alone, and bring it to the newest form.

    Raises:
        ConfigError: it cannot be used, and why.
    """
    try:
        _create(path)
        with closing(_open(path)) as connection:
            migrate(connection)
            _share(connection)
    except ConfigError as error:
        raise ConfigError(f"store: {error.message}", file=str(path)) from None
    except OSError as error:
        raise ConfigError(f"store: cannot be used: {error.strerror}", file=str(path)) from None
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"store: cannot be used: {error}", file=str(path)) from None


@contextmanager
def private() -> Iterator[Path]:
    """A state file of this process and its workers alone, which ends with it.

    Raises:
        ConfigError: there is no place for one.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="oidproxy-"))
    except OSError as error:
        raise ConfigError(f"store: no temporary folder can be made: {error.strerror}") from None
    try:
        path = folder / "state.db"
        prepare(path)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _create(path: Path) -> None:
    """SQLite gives its own files beside this one the same mode."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, _PRIVATE)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError("this is no regular file")
        if stat.S_IMODE(mode) != _PRIVATE:
            os.fchmod(descriptor, _PRIVATE)
    finally:
        os.close(descriptor)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)


def _share(connection: sqlite3.Connection) -> None:
    """Write-ahead logging, which stays with the file: readers wait for nobody (sqlite.org/wal.html)."""
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise ConfigError("this file system cannot share memory between processes, which SQLite's log needs")
