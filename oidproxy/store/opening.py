"""The state that a configuration names, opened: a SQLite file, or a Redis server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError
from oidproxy.store.sqlite import SqliteStore
from oidproxy.store.sqlite_index import SqliteIndex

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.store.terms import Index, Store


def is_remote(where: str) -> bool:
    """Whether this is the URL of a server, and no path of a file."""
    return "://" in where


def open_store(where: str, *, clock: Callable[[], float]) -> Store:
    """Entries and leases. `where` is the path of a prepared file, or a URL.

    Raises:
        ConfigError: it cannot be opened, or a library is missing.
    """
    if not is_remote(where):
        return SqliteStore(Path(where), clock=clock)
    try:
        from oidproxy.store.redis import RedisStore  # noqa: PLC0415 - an extra, for those who share the state
    except ImportError:
        raise _missing() from None
    return RedisStore(where, clock=clock)


def open_index(where: str, *, at_most: int) -> Index:
    """The location index of at most so many ids, in the same place. Raises ConfigError as `open_store`."""
    if not is_remote(where):
        return SqliteIndex(Path(where), at_most=at_most)
    try:
        from oidproxy.store.redis_index import RedisIndex  # noqa: PLC0415 - as above
    except ImportError:
        raise _missing() from None
    return RedisIndex(where, at_most=at_most)


async def check_remote(where: str) -> None:
    """Whether this server can be used. Raises ConfigError; StoreUnavailable where it does not answer now."""
    try:
        from oidproxy.store.redis import RedisStore  # noqa: PLC0415 - as above
    except ImportError:
        raise _missing() from None
    store = RedisStore(where, clock=lambda: 0.0)
    try:
        await store.check()
    finally:
        await store.close()


def _missing() -> ConfigError:
    return ConfigError("store: a Redis server needs one more library: pip install 'oidproxy[redis]'")
