"""A proxy's state in memory keeps the terms of a store."""

from __future__ import annotations

import asyncio

from oidproxy.trace.virtual.store import MemoryIndex, MemoryStore


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_entries_end_and_are_found_by_their_prefix():
    async def work():
        clock = Clock()
        told = []
        store = MemoryStore(clock, durable=lambda: told.append(1))
        await store.put("a/2", b"two", until=200, durable=True)
        await store.put("a/1", b"one", until=150)
        await store.put("b/1", b"three", until=200)
        assert await store.scan("a/", most=9) == [("a/1", b"one"), ("a/2", b"two")]
        assert await store.scan("a/", most=1) == [("a/1", b"one")]
        clock.now = 160
        assert await store.get("a/1") is None
        assert store.peek("a/2") == b"two"
        await store.drop("a/2")
        assert await store.get("a/2") is None
        assert told == [1]
        await store.close()

    asyncio.run(work())


def test_a_lease_is_its_owners_until_it_ends():
    async def work():
        clock = Clock()
        store = MemoryStore(clock)
        assert await store.claim("x", "me", until=150)
        assert not await store.claim("x", "you", until=150)
        assert await store.claim("x", "me", until=160)
        await store.release("x", "you")
        assert not await store.claim("x", "you", until=150)
        clock.now = 170
        assert await store.claim("x", "you", until=200)
        await store.release("x", "you")
        assert await store.claim("x", "me", until=200)

    asyncio.run(work())


def test_the_index_knows_so_many_ids_and_forgets_the_oldest():
    async def work():
        index = MemoryIndex(2)
        await index.add({"a": [1, 2], "b": [2]})
        assert await index.clouds(2) == index.clouds_now(2) == ("a", "b")
        await index.add({"a": [3]})
        assert await index.clouds(1) == ()
        assert await index.clouds(3) == ("a",)
        await index.close()

    asyncio.run(work())
