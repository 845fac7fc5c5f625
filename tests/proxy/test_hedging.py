"""One timer tells all that wait that they are late, whatever one of them does then."""

from __future__ import annotations

import asyncio

import pytest

from oidproxy.proxy import hedging
from oidproxy.proxy.hedging import Hedges


class Waiting:
    def __init__(self, hedges: Hedges, *, ends: Waiting | None = None, fails: bool = False) -> None:
        self.hedges = hedges
        self.ends = ends
        self.fails = fails
        self.told = 0

    def late(self) -> None:
        self.told += 1
        if self.ends is not None:
            self.hedges.discard(self.ends)
        if self.fails:
            raise RuntimeError


@pytest.fixture
async def hedges(monkeypatch) -> Hedges:
    monkeypatch.setattr(hedging, "TICK", 0.01)
    return Hedges()


async def test_one_that_fails_keeps_nobody_else_from_being_told(hedges):
    bad, good, later = Waiting(hedges, fails=True), Waiting(hedges), Waiting(hedges)
    for one in (bad, good):
        hedges.add(one, late=True)
    await asyncio.sleep(0.05)
    hedges.add(later, late=True)
    await asyncio.sleep(0.05)
    assert (bad.told, good.told, later.told) == (1, 1, 1)


async def test_what_ended_meanwhile_is_not_told(hedges):
    second = Waiting(hedges)
    first = Waiting(hedges, ends=second)
    hedges.add(first, late=True)
    hedges.add(second, late=True)
    await asyncio.sleep(0.05)
    assert (first.told, second.told) == (1, 0)
