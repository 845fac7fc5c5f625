"""The state file before anybody serves: found, created for its owner alone, brought to the newest form."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import stat
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError
from oidproxy.store.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY_SECONDS = 10.0
_PRIVATE = stat.S_IRUSR | stat.S_IWUSR
_FOLDER = "oidproxy-state-"
_LOCK = "lock"
_KEPT_FOR = 30 * 24 * 3600.0
"""Seconds after which nobody comes back for what a process that was killed has left."""


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
def private(configuration: Path | None = None) -> Iterator[Path]:
    """A state file of this process and its workers alone, which ends with it.

    One that a killed process left is found again by the next one of the same configuration: there it is
    noted what has to be tidied up. A lock on the folder tells that its process lives.

    Raises:
        ConfigError: there is no place for one.
    """
    try:
        _tidy(Path(tempfile.gettempdir()))
        folder, lock = _folder(configuration)
    except OSError as error:
        raise ConfigError(f"store: no temporary folder can be made: {error.strerror}") from None
    try:
        path = folder / "state.db"
        _prepared(path)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _prepared(path: Path) -> None:
    """Nobody but us gave it its form: one that cannot be used is begun anew."""
    try:
        prepare(path)
    except ConfigError:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        prepare(path)


def _folder(configuration: Path | None) -> tuple[Path, int]:
    """A locked folder: the one of this configuration, or another one where that is not to be had."""
    place = Path(tempfile.gettempdir())
    if configuration is not None:
        # Anybody may make a folder of this name before us: then it is not ours, and not used.
        named = hashlib.sha256(os.fsencode(configuration.absolute())).hexdigest()[:16]
        folder = place / f"{_FOLDER}{os.geteuid()}-{named}"
        with suppress(FileExistsError):
            folder.mkdir(0o700)
        lock = _locked(folder)
        if lock is not None:
            return folder, lock
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=place))
        lock = _locked(folder)
        if lock is not None:
            return folder, lock


def _locked(folder: Path) -> int | None:
    """The lock of a folder; None if it is another user's, or its process lives, or it is being deleted."""
    if not _is_ours(folder):
        return None
    path = folder / _LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = path.lstat()
        if (there.st_dev, there.st_ino) == (os.fstat(lock).st_dev, os.fstat(lock).st_ino):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    private_folder = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
    return private_folder and found.st_uid == os.geteuid()


def _tidy(place: Path) -> None:
    """Delete what processes left that were killed: at once where no configuration leads back to it."""
    for folder in place.glob(f"{_FOLDER}*"):
        # Somebody else may tidy up, too.
        with suppress(FileNotFoundError):
            if _is_ours(folder) and (folder / _LOCK).exists() and not _may_be_found_again(folder):
                _delete(folder)


def _may_be_found_again(folder: Path) -> bool:
    named = folder.name.startswith(f"{_FOLDER}{os.geteuid()}-")
    return named and folder.stat().st_mtime > time.time() - _KEPT_FOR


def _delete(folder: Path) -> None:
    """Unless its process lives."""
    lock = _locked(folder)
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


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
