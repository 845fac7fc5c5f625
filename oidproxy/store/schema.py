"""What a state file looks like: its mark, its tables, and the way from each older form to the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    import sqlite3

APPLICATION = 0x6F696470
"""`PRAGMA application_id` of our files: "oidp". Any other database is somebody else's."""

# Times are seconds since the epoch. What has ended is not read any more, and deleted some time later.
_FIRST = (
    "CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX entry_until ON entry (until)",
    "CREATE TABLE lease (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX lease_until ON lease (until)",
)

# An id is 64 bits of a digest, a cloud its number: with both in the key a place takes some 25 bytes.
_PLACES = (
    "CREATE TABLE holder (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, held INTEGER NOT NULL)",
    "CREATE TABLE place (id INTEGER, holder INTEGER, PRIMARY KEY (id, holder)) WITHOUT ROWID",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _PLACES)
"""Each makes the next form of the one before it; how many there are is the version (`user_version`)."""

VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a file; 0 for an empty one.

    Raises:
        ConfigError: it is no state file, or a newer one.
    """
    application = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    if application != APPLICATION:
        if application or version or _number(connection, "SELECT count(*) FROM sqlite_master"):
            raise ConfigError("this is a database, but not one of oidproxy's: give a file of its own")
        return 0
    if version > VERSION:
        raise ConfigError(
            f"a newer oidproxy wrote this state file (version {version}, this one knows {VERSION}): "
            "use that one again, or another file"
        )
    return version


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the newest form, all or nothing. Raises ConfigError as `version_of`."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[version_of(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _number(connection: sqlite3.Connection, question: str) -> int:
    return int(connection.execute(question).fetchone()[0])
