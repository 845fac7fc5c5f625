"""Durable entries are found by how their keys begin, and are on the disk when `put` returns."""

from __future__ import annotations

import sqlite3

import pytest

from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite import SqliteStore


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path):
    path = tmp_path / "state.db"
    prepare(path)
    made = SqliteStore(path, clock=Clock())
    yield made
    await made.close()


async def test_entries_are_found_by_how_their_keys_begin(store):
    for key in ("journal/2", "journal/1", "journal", "journal0", "journal/\U0010fffd", "journam/1"):
        await store.put(key, key.encode(), until=2000.0, durable=True)
    await store.put("journal/ended", b"x", until=999.0, durable=True)
    found = await store.scan("journal/", most=10)
    assert [key for key, _ in found] == ["journal/1", "journal/2", "journal/\U0010fffd"]
    assert all(value == key.encode() for key, value in found)
    assert [key for key, _ in await store.scan("journal/", most=2)] == ["journal/1", "journal/2"]


async def test_a_durable_entry_is_written_with_a_full_synchronization_and_no_other_is(tmp_path, monkeypatch):
    said = []
    connect = sqlite3.connect

    def traced(*arguments, **keywords):
        connection = connect(*arguments, **keywords)
        connection.set_trace_callback(said.append)
        return connection

    path = tmp_path / "state.db"
    prepare(path)
    monkeypatch.setattr(sqlite3, "connect", traced)
    store = SqliteStore(path, clock=Clock())
    said.clear()
    await store.put("x", b"1", until=2000.0)
    assert not any("synchronous" in one for one in said)
    await store.put("y", b"1", until=2000.0, durable=True)
    await store.close()
    order = [one.split()[0] if "INSERT" in one else one.rpartition(" ")[2] for one in said[-3:]]
    assert order == ["FULL", "INSERT", "NORMAL"]
