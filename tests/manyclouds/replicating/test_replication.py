"""What one user may leave undone, so that the journal has room for everybody's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from oidproxy.errors import TooManyUnfinished
from oidproxy.manyclouds.replicating import shares as module
from oidproxy.manyclouds.replicating.journal import Attempt, Intent, Owner, State, Verb
from oidproxy.manyclouds.replicating.keeping import PREFIX, Journal
from oidproxy.manyclouds.replicating.replication import Replication
from oidproxy.routing.decision import Kind
from oidproxy.tokens.presented import Form
from tests.manyclouds.replicating.test_advancing import Kept


def deletion(number: int, user: str) -> Intent:
    attempts = (Attempt("dead", None, 0, State.UNDOING, "1"),)
    owner = Owner("a", "p", user)
    return Intent(f"{user}-{number}", Verb.DELETE, owner, "compute", "servers", "/s", 0.0, attempts, 1)


class Users:
    """Everybody is who the token says."""

    async def subject(self, token):
        return SimpleNamespace(home="a", project_id="p", user_id=token.user)


def job(user: str, kind: Kind) -> SimpleNamespace:
    token = SimpleNamespace(form=Form.SEALED, user=user)
    fanout = SimpleNamespace(token=token, legs=(), ones=(), kind=kind)
    grant = SimpleNamespace(take=lambda _: None, handed_over=lambda: SimpleNamespace(close=lambda: None))
    return SimpleNamespace(fanout=fanout, head=None, legs=None, registry=None, grant=grant, client=None)


async def test_who_has_left_too_much_undone_begins_no_more_and_nobody_else_is_kept_from_it(monkeypatch):
    monkeypatch.setattr(module, "OPEN_AT_MOST", 3)
    begun = []

    async def done(self, errand, answer):
        begun.append(errand.owner.user)
        answer.set_result("done")

    monkeypatch.setattr(Replication, "_done", done)
    store = Kept()
    for number in range(3):
        await Journal(store, lambda: 0.0).write(deletion(number, "eve"))
    await Journal(store, lambda: 0.0).write(deletion(0, "bob"))
    replication = Replication(
        store=store,
        upstreams=None,
        identity=Users(),
        snapshot=lambda: None,
        pseudonym="x",
        clock=lambda: 100.0,
    )
    await replication._look_who_waits()
    for kind in (Kind.CREATE, Kind.DELETE):
        with pytest.raises(TooManyUnfinished) as refused:
            await replication.carry_out(job("eve", kind))
        assert (refused.value.status, refused.value.fields["Retry-After"]) == (429, "60")
    assert await replication.carry_out(job("eve", Kind.CHANGE)) == "done"
    assert await replication.carry_out(job("bob", Kind.CREATE)) == "done"
    assert begun == ["eve", "bob"]


async def test_nor_may_what_is_under_way_take_all_the_room(monkeypatch):
    monkeypatch.setattr(module, "OPEN_AT_MOST", 3)
    go_on = asyncio.Event()

    async def done(self, errand, answer):
        await go_on.wait()
        answer.set_result("done")

    monkeypatch.setattr(Replication, "_done", done)
    replication = Replication(
        store=Kept(),
        upstreams=None,
        identity=Users(),
        snapshot=lambda: None,
        pseudonym="x",
        clock=lambda: 100.0,
    )
    waiting = [asyncio.ensure_future(replication.carry_out(job("eve", Kind.CHANGE))) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for one in waiting:
        # They leave, and what they began goes on.
        one.cancel()
    with pytest.raises(TooManyUnfinished):
        await replication.carry_out(job("eve", Kind.CHANGE))
    other = asyncio.ensure_future(replication.carry_out(job("bob", Kind.CHANGE)))
    await asyncio.sleep(0)
    go_on.set()
    assert await other == "done"
    assert await replication.carry_out(job("eve", Kind.CHANGE)) == "done"


async def test_a_record_that_cannot_be_read_keeps_nobody_from_the_others():
    store = Kept()
    journal = Journal(store, lambda: 0.0)
    await journal.write(deletion(0, "bob"))
    store.entries[f"{PREFIX}a"] = b"1 {"
    assert [one.id for one in await journal.all()] == ["bob-0"]
