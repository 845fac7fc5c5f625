"""Entries and leases in a file: their ends, what other connections see, and that nothing waits for long."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time

import pytest

from oidproxy.errors import ConfigError, StoreUnavailable
from oidproxy.store import sqlite
from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite import SqliteStore

NOW = 1_750_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path):
    prepare(tmp_path / "state.db")
    return tmp_path / "state.db"


@pytest.fixture
async def store(path, clock):
    made = SqliteStore(path, clock=clock)
    yield made
    await made.close()


@pytest.fixture
async def other(path, clock):
    """As another worker has it."""
    made = SqliteStore(path, clock=clock)
    yield made
    await made.close()


async def test_a_value_is_kept_until_its_end(store, clock):
    await store.put("a", b"1", until=NOW + 10)
    assert (await store.get("a"), store.peek("a")) == (b"1", b"1")
    clock.now += 10
    assert (await store.get("a"), store.peek("a")) == (None, None)


async def test_a_value_replaces_another_and_its_end(store, clock):
    await store.put("a", b"1", until=NOW + 10)
    await store.put("a", b"2", until=NOW + 20)
    clock.now += 15
    assert await store.get("a") == b"2"


async def test_what_is_dropped_is_gone_and_may_be_dropped_again(store):
    await store.put("a", b"1", until=math.inf)
    await store.drop("a")
    await store.drop("a")
    assert await store.get("a") is None


async def test_another_worker_sees_at_once_what_was_put(store, other):
    assert other.peek("a") is None
    await store.put("a", b"\0\xff", until=math.inf)
    assert other.peek("a") == b"\0\xff"
    assert await other.get("a") == b"\0\xff"


async def test_values_outlive_whoever_put_them(path, clock, store):
    first = SqliteStore(path, clock=clock)
    await first.put("a", b"1", until=math.inf)
    await first.close()
    assert store.peek("a") == b"1"


async def test_a_lease_is_one_owners_until_it_ends(store, other, clock):
    assert await store.claim("job", "one", until=NOW + 30)
    assert not await other.claim("job", "two", until=NOW + 30)
    assert await store.claim("job", "one", until=NOW + 60), "its owner prolongs it"
    clock.now += 45
    assert not await other.claim("job", "two", until=NOW + 90)
    clock.now += 15
    assert await other.claim("job", "two", until=NOW + 120), "ended, it is anybody's"
    assert not await store.claim("job", "one", until=NOW + 120), "lost is lost"


async def test_a_lease_ends_when_its_owner_says_so_and_nobody_else(store, other):
    await store.claim("job", "one", until=NOW + 30)
    await other.release("job", "two")
    assert not await other.claim("job", "two", until=NOW + 30)
    await store.release("job", "one")
    assert await other.claim("job", "two", until=NOW + 30)


async def test_leases_and_entries_of_one_name_have_nothing_to_do_with_each_other(store):
    await store.put("a", b"1", until=math.inf)
    assert await store.claim("a", "one", until=NOW + 30)
    await store.drop("a")
    assert not await store.claim("a", "two", until=NOW + 30)


async def test_what_has_ended_is_deleted_in_time(store, clock, path):
    for number in range(5):
        await store.put(f"old-{number}", b"", until=NOW + 1)
    await store.claim("old", "one", until=NOW + 1)
    clock.now += sqlite.TIDY_SECONDS
    await store.put("new", b"", until=math.inf)
    with sqlite3.connect(path) as connection:
        kept = connection.execute("SELECT key FROM entry UNION SELECT key FROM lease").fetchall()
    connection.close()
    assert kept == [("new",)]


async def test_the_loop_goes_on_while_another_process_holds_the_file(path, store):
    """The writing thread waits; a peek does not, and the loop is never held for long."""
    await store.put("a", b"1", until=math.inf)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    writing = asyncio.create_task(store.put("a", b"2", until=math.inf))
    longest, last = 0.0, time.perf_counter()
    for _ in range(30):
        await asyncio.sleep(0.01)
        assert store.peek("a") == b"1"
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert not writing.done()
    blocker.execute("ROLLBACK")
    blocker.close()
    await writing
    assert store.peek("a") == b"2"
    assert longest < 0.2


async def test_a_file_that_is_locked_too_long_is_an_error_of_ours(path, clock, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    store = SqliteStore(path, clock=clock)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await store.put("a", b"1", until=math.inf)
    blocker.close()
    await store.put("a", b"1", until=math.inf)
    await store.close()


def test_a_file_that_was_not_prepared_is_refused(tmp_path, clock):
    with pytest.raises(ConfigError, match="cannot be opened"):
        SqliteStore(tmp_path / "none.db", clock=clock)
