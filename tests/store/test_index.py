"""The location index, in a file and in a server: what is learned, who sees it, what is forgotten."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from contextlib import closing

import pytest
import redis

from oidproxy.errors import StoreUnavailable
from oidproxy.store import sqlite_index
from oidproxy.store.opening import open_index
from oidproxy.store.preparing import prepare
from oidproxy.store.redis_index import RedisIndex
from oidproxy.store.sqlite import SqliteStore

LEAST, MOST = -(1 << 63), (1 << 63) - 1


@pytest.fixture
def path(tmp_path):
    prepare(tmp_path / "state.db")
    return tmp_path / "state.db"


@pytest.fixture(params=["sqlite", "redis"])
def where(request, path):
    return str(path) if request.param == "sqlite" else request.getfixturevalue("url")


def opened(where: str):
    """Of a thousand ids at most."""
    # As full as the hashes of a server are that holds ten million.
    return RedisIndex(where, at_most=1000, bits=4) if "://" in where else open_index(where, at_most=1000)


@pytest.fixture
async def index(where):
    made = opened(where)
    yield made
    await made.close()


def keys(count: int, seed: int = 1) -> list[int]:
    chance = random.Random(seed)
    return [chance.getrandbits(64) - (1 << 63) for _ in range(count)]


def held(where: str) -> dict[str, int]:
    """What is counted."""
    if "://" in where:
        with redis.Redis.from_url(where) as client:
            return {
                name.decode(): int(count) for name, count in client.hgetall("oidproxy:index:held").items()
            }
    with closing(sqlite3.connect(where)) as connection:
        return dict(connection.execute("SELECT name, held FROM holder"))


async def known(index, keys, cloud) -> int:
    return sum([cloud in await index.clouds(key) for key in keys])


async def test_what_was_learned_is_known_to_every_worker(index, where):
    other = opened(where)
    assert await index.clouds(7) == ()
    await index.add({"cloud-1": [7, LEAST, MOST, 0, -1]})
    for key in (7, LEAST, MOST, 0, -1):
        assert await index.clouds(key) == await other.clouds(key) == ("cloud-1",)
    assert await index.clouds(8) == ()
    await other.close()


async def test_a_cloud_that_claims_anothers_id_is_added_and_takes_nothing_away(index, where):
    await index.add({"mine": [1, 2]})
    await index.add({"theirs": [2]})
    await index.add({"théirs ": [2], "mine": [2]})
    assert await index.clouds(1) == ("mine",)
    assert set(await index.clouds(2)) == {"mine", "theirs", "théirs "}
    assert held(where) == {"mine": 2, "theirs": 1, "théirs ": 1}


async def test_a_name_that_is_part_of_another_is_another_cloud(index):
    await index.add({"cloud-11": [5]})
    await index.add({"cloud-1": [5]})
    await index.add({"1": [5]})
    assert set(await index.clouds(5)) == {"cloud-11", "cloud-1", "1"}


async def test_learning_again_changes_nothing(index, where):
    some = keys(600)
    for _ in range(3):
        await index.add({"a": some, "b": some[:10]})
    assert held(where) == {"a": 600, "b": 10}
    assert await known(index, some, "a") == 600


async def test_it_is_bounded_and_what_is_new_has_a_place(index, where):
    first, later = keys(1000), keys(700, seed=2)
    await index.add({"a": first})
    assert await known(index, first, "a") == 1000
    await index.add({"a": later})
    assert held(where) == {"a": 1000}
    old, new = await known(index, first, "a"), await known(index, later, "a")
    assert old + new == 1000
    assert new > 200, "what is forgotten is chosen by chance"


async def test_a_cloud_that_lists_what_it_does_not_have_displaces_nobody_elses_ids(index, where):
    honest, few, flood = keys(300, 3), keys(5, 4), keys(5000, 5)
    await index.add({"honest": honest, "small": few})
    for begin in range(0, len(flood), 500):
        await index.add({"hostile": flood[begin : begin + 500]})
    assert await known(index, honest, "honest") == 300
    assert await known(index, few, "small") == 5
    assert sum(held(where).values()) == 1000


async def test_two_writers_count_as_one(index, where):
    other = opened(where)
    some = keys(500)
    await asyncio.gather(index.add({"a": some}), other.add({"a": some, "b": some[:7]}))
    assert held(where) == {"a": 500, "b": 7}
    await other.close()


async def test_a_server_with_few_ids_in_many_hashes_is_bounded_too(url):
    index = RedisIndex(url, at_most=200)
    for seed in range(4):
        await index.add({"a": keys(100, seed)})
    for _ in range(20):
        await index.add({})
    assert held(url)["a"] < 400
    await index.close()


# In a file.


async def test_what_others_write_waits_for_some_milliseconds_at_most(path):
    index, store = open_index(str(path), at_most=100_000), SqliteStore(path, clock=time.time)
    learning = asyncio.create_task(index.add({"a": keys(20_000)}))
    await asyncio.sleep(0.01)
    times = []
    while not learning.done():
        began = time.perf_counter()
        await store.put("journal", b"", until=time.time() + 10)
        times.append(time.perf_counter() - began)
    await learning
    assert len(times) > 20
    assert sorted(times)[len(times) // 2] < 0.05
    await index.close()
    await store.close()


async def test_a_file_that_cannot_be_read_knows_nothing_and_says_so(path, caplog, monkeypatch):
    monkeypatch.setattr(sqlite_index, "BUSY_SECONDS", 0.05)
    index = open_index(str(path), at_most=10)
    await index.add({"a": [1]})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE place")
        assert await index.clouds(1) == ()
        assert "cannot be read" in caplog.text
        with pytest.raises(StoreUnavailable):
            await index.add({"a": [2]})
    await index.close()


async def test_a_server_that_is_gone_knows_nothing_and_learns_nothing(tmp_path):
    index = open_index("unix:///nowhere/redis.sock", at_most=10)
    assert await index.clouds(1) == ()
    with pytest.raises(StoreUnavailable):
        await index.add({"a": [2]})
    await index.close()
