"""Turns are shared: no user and no pair of clouds has more than its share, and nobody is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from oidproxy.manyclouds.turns import AT_ONCE, OF_A_PAIR, OF_A_USER, Turns


class Crowd:
    """Those who wait for a turn, and whose turn it is."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.running: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, name: str, user: str, pair: str = "a/b") -> None:
        self.ends[name] = asyncio.Event()
        ticket = self.turns.ticket(user, pair)
        self.tasks[name] = asyncio.create_task(self._have(name, ticket))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _have(self, name, ticket):
        async with self.turns.turn(ticket):
            self.running.append(name)
            await self.ends[name].wait()
            self.running.remove(name)

    async def ends_turn(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)


@pytest.fixture
async def crowd():
    made = Crowd(Turns())
    yield made
    for task in made.tasks.values():
        task.cancel()
    await asyncio.gather(*made.tasks.values(), return_exceptions=True)


async def test_a_user_has_its_share_and_others_pass_by(crowd):
    for number in range(10):
        await crowd.comes(f"demo-{number}", "demo")
    assert crowd.running == [f"demo-{number}" for number in range(OF_A_USER)]
    await crowd.comes("alice", "alice")
    assert "alice" in crowd.running
    await crowd.ends_turn("demo-0")
    assert crowd.running == ["demo-1", "alice", "demo-2"]


async def test_a_pair_of_clouds_has_its_share(crowd):
    for number in range(OF_A_PAIR + 1):
        await crowd.comes(f"slow-{number}", f"user-{number}", "slow/b")
    assert len(crowd.running) == OF_A_PAIR
    await crowd.comes("other", "user-0", "a/b")
    assert "other" in crowd.running


async def test_all_together_have_theirs(crowd):
    for number in range(AT_ONCE + 1):
        await crowd.comes(f"n-{number}", f"user-{number}", f"pair-{number % 4}")
    assert len(crowd.running) == AT_ONCE
    await crowd.ends_turn("n-3")
    assert f"n-{AT_ONCE}" in crowd.running


async def test_whoever_has_none_comes_before_who_has_one_already():
    crowd = Crowd(Turns(2))
    await crowd.comes("demo-0", "demo")
    await crowd.comes("bob", "bob")
    await crowd.comes("demo-1", "demo")
    await crowd.comes("alice", "alice")
    await crowd.ends_turn("bob")
    assert crowd.running == ["demo-0", "alice"]
    for name in ("demo-0", "alice"):
        await crowd.ends_turn(name)
    await crowd.ends_turn("demo-1")


async def test_who_leaves_the_queue_or_a_turn_takes_nothing_along():
    turns = Turns(1)
    crowd = Crowd(turns)
    for name in "abc":
        await crowd.comes(name, name)
    crowd.tasks["b"].cancel()
    crowd.tasks["a"].cancel()
    await asyncio.gather(crowd.tasks["a"], crowd.tasks["b"], return_exceptions=True)
    await asyncio.sleep(0)
    assert crowd.running[-1] == "c"
    await crowd.ends_turn("c")
    async with asyncio.timeout(1), turns.turn(turns.ticket("d", "a/b")):
        pass


async def test_who_is_called_and_leaves_at_the_same_moment_gives_the_turn_back():
    turns = Turns(1)
    first, second = turns.ticket("a", "a/b"), turns.ticket("b", "a/b")
    async with turns.turn(first):
        waiting = asyncio.create_task(turns.turn(second).__aenter__())
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1), turns.turn(turns.ticket("c", "a/b")):
        pass
