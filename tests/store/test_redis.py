"""Entries and leases in a Redis server, for several proxies, and what is told when it is gone."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
import redis

from oidproxy.errors import ConfigError, StoreUnavailable
from oidproxy.store import redis as redis_store
from oidproxy.store.opening import check_remote, open_index, open_store
from oidproxy.store.redis import RedisStore
from tests.store.server import serving


@pytest.fixture
async def store(url):
    made = RedisStore(url, clock=time.time)
    yield made
    await made.close()


@pytest.fixture
async def other(url):
    """As another proxy has it."""
    made = RedisStore(url, clock=time.time)
    yield made
    await made.close()


def soon(seconds: float = 10.0) -> float:
    return time.time() + seconds


async def test_a_value_is_kept_until_its_end(store):
    await store.put("a", b"1\x00\xff", until=soon(0.2))
    assert (await store.get("a"), store.peek("a")) == (b"1\x00\xff", b"1\x00\xff")
    await asyncio.sleep(0.25)
    assert (await store.get("a"), store.peek("a")) == (None, None)


async def test_a_value_takes_the_place_of_another_and_is_dropped(store, other):
    await store.put("a", b"1", until=soon())
    await other.put("a", b"2", until=soon())
    assert (await store.get("a"), store.peek("a")) == (b"2", b"2")
    await store.drop("a")
    assert await other.get("a") is None
    await store.drop("a")


async def test_what_has_ended_already_is_not_kept_and_not_left_from_before(store):
    await store.put("a", b"1", until=soon())
    await store.put("a", b"2", until=time.time() - 1)
    assert await store.get("a") is None


async def test_a_lease_is_one_owners_until_it_is_released_or_ends(store, other):
    assert await store.claim("job", "one", until=soon())
    assert not await other.claim("job", "two", until=soon())
    assert await store.claim("job", "one", until=soon(20))
    await other.release("job", "two")
    assert not await other.claim("job", "two", until=soon())
    await store.release("job", "one")
    assert await other.claim("job", "two", until=soon(0.1))
    await asyncio.sleep(0.15)
    assert await store.claim("job", "one", until=soon())


async def test_a_lease_that_has_ended_already_is_nobodys(store, other):
    assert not await store.claim("job", "one", until=time.time() - 1)
    assert await other.claim("job", "two", until=soon())


async def test_entries_and_leases_of_one_name_are_two_things(store):
    await store.put("a", b"value", until=soon())
    assert await store.claim("a", "owner", until=soon())
    assert await store.get("a") == b"value"
    await store.drop("a")
    assert not await store.claim("a", "somebody else", until=soon())


async def test_of_many_who_claim_at_one_time_one_has_it(url):
    stores = [RedisStore(url, clock=time.time) for _ in range(8)]
    for _ in range(20):
        got = await asyncio.gather(
            *(one.claim("job", str(number), until=soon()) for number, one in enumerate(stores))
        )
        assert sum(got) == 1
        await stores[got.index(True)].release("job", str(got.index(True)))
    for one in stores:
        await one.close()


async def test_durable_entries_are_listed_by_how_their_keys_begin(store):
    for key in ("journal/b", "journal/a", "journal/lease", "journey", "other"):
        await store.put(key, key.encode(), until=soon(), durable=True)
    await store.put("journal/0", b"not durable", until=soon())
    found = await store.scan("journal/", most=10)
    assert found == [(key, key.encode()) for key in ("journal/a", "journal/b", "journal/lease")]
    assert [key for key, _ in await store.scan("journal/", most=2)] == ["journal/a", "journal/b"]


async def test_what_ended_or_was_dropped_is_not_listed_and_makes_nobody_miss_what_follows(store, url):
    for number in range(5):
        await store.put(f"j/{number}", b"", until=soon(0.1), durable=True)
    await store.put("j/7", b"7", until=soon(), durable=True)
    await store.put("j/8", b"8", until=soon(), durable=True)
    await store.drop("j/8")
    await asyncio.sleep(0.15)
    assert await store.scan("j/", most=2) == [("j/7", b"7")]
    with redis.Redis.from_url(url) as client:
        assert client.zrange("oidproxy:durable", 0, -1) == [b"j/7"], "nothing piles up"


async def test_everything_in_the_server_is_named_as_ours_and_ends_by_itself(store, url):
    await store.put("a", b"1", until=soon())
    await store.put("b", b"1", until=soon(), durable=True)
    await store.claim("c", "owner", until=soon())
    with redis.Redis.from_url(url) as client:
        keys = client.keys()
        assert all(key.startswith(b"oidproxy:") for key in keys)
        assert [key for key in keys if client.ttl(key) < 0] == [b"oidproxy:durable"]


# When it is gone.


async def test_without_a_server_all_but_a_peek_is_unavailable_and_it_comes_back_by_itself(caplog):
    with serving() as server:
        store = RedisStore(server.url, clock=time.time)
        await store.put("a", b"1", until=soon())
        server.stop()
        for asked in (
            store.get("a"),
            store.put("a", b"2", until=soon()),
            store.drop("a"),
            store.claim("a", "x", until=soon()),
            store.release("a", "x"),
            store.scan("a", most=1),
        ):
            with pytest.raises(StoreUnavailable):
                await asked
        assert store.peek("a") is None
        assert "the store cannot be used" in caplog.text
        server.start()
        await store.put("a", b"3", until=soon())
        assert await store.get("a") == b"3"
        await store.close()


async def test_a_server_that_hangs_holds_the_loop_once_and_not_again(monkeypatch):
    with serving() as server:
        store = RedisStore(server.url, clock=time.time)
        await store.put("a", b"1", until=soon())
        assert store.peek("a") == b"1"
        server.freeze()
        began = time.perf_counter()
        assert [store.peek("a") for _ in range(100)] == [None] * 100
        assert time.perf_counter() - began < 5 * redis_store.PEEK_SECONDS
        monkeypatch.setattr(store, "_peeks_from", 0.0)
        server.thaw()
        assert store.peek("a") == b"1"
        await store.close()


async def test_more_requests_than_connections_wait_for_each_other(store):
    await store.put("a", b"1", until=soon())
    many = redis_store.CONNECTIONS * 8
    assert await asyncio.gather(*(store.get("a") for _ in range(many))) == [b"1"] * many


# Opening.


async def test_where_says_which_kind_of_store_it_is(url, tmp_path):
    opened = open_store(url, clock=time.time), open_index(url, at_most=10)
    assert [type(one).__name__ for one in opened] == ["RedisStore", "RedisIndex"]
    for one in opened:
        await one.close()


async def test_a_server_is_checked_before_anybody_serves(url):
    await check_remote(url)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await check_remote("unix:///nowhere/redis.sock")


async def test_a_wrong_password_is_an_error_of_the_configuration_and_told_nowhere(caplog):
    with serving("--requirepass", "right") as server:
        wrong = server.url.replace("unix://", "unix://:sesame@")
        with pytest.raises(ConfigError, match="refuses us") as caught:
            await check_remote(wrong)
        with pytest.raises(ConfigError, match="refuses us"):
            await check_remote(server.url)
        await check_remote(server.url.replace("unix://", "unix://:right@"))
        store = RedisStore(wrong, clock=time.time)
        with pytest.raises(StoreUnavailable):
            await store.get("a")
        assert store.peek("a") is None
        await store.close()
    assert "sesame" not in str(caught.value) + caplog.text + repr(store)


async def test_it_is_reached_by_tcp_too(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(
        "--port", str(port), "--bind", "127.0.0.1", "--user", "proxy", "on", ">word", "~*", "&*", "+@all"
    ):
        store = open_store(f"redis://proxy:word@127.0.0.1:{port}/3", clock=time.time)
        await store.put("a", b"1", until=soon())
        assert (await store.get("a"), store.peek("a")) == (b"1", b"1")
        await store.close()


@pytest.mark.parametrize("url", ["redis://[", "redis://host:port", "redis://host/?max_connections=x"])
def test_what_is_no_url_is_an_error_of_the_configuration(url):
    with pytest.raises(ConfigError, match="no URL of a Redis server"):
        RedisStore(url, clock=time.time)
