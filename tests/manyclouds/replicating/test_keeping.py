"""The journal in the store: on the disk when it says so, whole, and written by one at a time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from oidproxy.errors import StoreUnavailable
from oidproxy.manyclouds.leasing import Taken
from oidproxy.manyclouds.replicating import journal
from oidproxy.manyclouds.replicating.groups import Group, Groups, Place
from oidproxy.manyclouds.replicating.journal import Attempt, Intent, Owner, Verb
from oidproxy.manyclouds.replicating.keeping import PREFIX, Journal, Pen
from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite import SqliteStore

HERE = Place("a", "p", "compute", "servers")


@pytest.fixture
async def store(tmp_path):
    path = tmp_path / "state.db"
    prepare(path)
    made = SqliteStore(path, clock=time.time)
    yield made
    await made.close()


def intent(name="i", clouds=2):
    attempts = tuple(Attempt(f"c{number}", None, number) for number in range(clouds))
    owner = Owner("a", "p", "u")
    return journal.begin(
        Intent(name, Verb.CREATE, owner, "compute", "servers", "/v2.1/servers", 1.0, attempts, clouds)
    )


async def test_what_is_written_is_read_until_it_is_forgotten(store):
    kept = Journal(store, time.time)
    await kept.write(intent("1"))
    await kept.write(intent("2"))
    assert [one.id for one in await kept.all()] == ["1", "2"]
    assert await kept.read("1") == intent("1")
    await kept.forget("1")
    assert [one.id for one in await kept.all()] == ["2"]
    assert await kept.read("1") is None


async def test_a_record_of_a_newer_proxy_is_left_alone(store):
    await store.put(f"{PREFIX}x", b"2 what nobody here can read", until=time.time() + 60, durable=True)
    kept = Journal(store, time.time)
    assert await kept.all() == []
    assert await store.get(f"{PREFIX}x") is not None


async def test_two_never_work_on_one_intent(store):
    one, other = Journal(store, time.time), Journal(store, time.time)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work():
        begun.set()
        await go_on.wait()

    working = asyncio.ensure_future(one.work("i", work))
    await begun.wait()
    with pytest.raises(Taken):
        await other.work("i", work)
    go_on.set()
    await working
    await other.work("i", work)


class Slow:
    """A store whose writes take a while, and may fail."""

    def __init__(self):
        self.written = []
        self.fails = 0

    async def put(self, key, value, *, until, durable=False):
        await asyncio.sleep(0.01)
        if self.fails:
            self.fails -= 1
            raise StoreUnavailable("no")
        assert durable
        self.written.append(value)


async def test_many_answers_are_few_writes_and_the_last_is_whole():
    slow = Slow()
    pen = Pen(Journal(slow, time.time), intent(clouds=200))
    for number in range(200):
        pen.note(journal.made(pen.intent, f"c{number}", f"id-{number}"))
        if number % 50 == 0:
            await asyncio.sleep(0.005)
    assert await pen.flushed()
    assert len(slow.written) < 10
    assert b'"state":"sending"' not in slow.written[-1]


async def test_what_cannot_be_written_is_told_and_not_raised():
    slow = Slow()
    pen = Pen(Journal(slow, time.time), intent())
    slow.fails = 100
    pen.note(journal.made(pen.intent, "c0", "1"))
    assert not await pen.flushed()
    slow.fails = 0
    assert await pen.flushed()
    assert len(slow.written) == 1


async def test_groups_are_found_by_each_of_their_ids_and_only_where_they_belong(store):
    groups = Groups(store, time.time)
    group = Group("i", {"a": "1", "b": "2"})
    await groups.keep(HERE, group)
    assert await groups.of(HERE, "1") == await groups.of(HERE, "2") == group
    assert await groups.of(replace(HERE, project="q"), "1") is None
    assert await groups.of(replace(HERE, collection="images"), "1") is None
    await groups.forget(HERE, group)
    assert await groups.of(HERE, "1") is None


async def test_an_id_of_two_groups_is_of_none_until_one_is_gone(store):
    groups = Groups(store, time.time)
    one, other = Group("i", {"a": "1", "b": "2"}), Group("j", {"a": "3", "b": "1"})
    await groups.keep(HERE, one)
    await groups.keep(HERE, other)
    await groups.keep(HERE, other)
    assert await groups.of(HERE, "1") is None
    assert await groups.of(HERE, "3") == other
    await groups.forget(HERE, other)
    assert await groups.of(HERE, "1") == one
