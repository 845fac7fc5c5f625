"""What no cloud had is remembered for a moment, for one question, and in bounded memory."""

from __future__ import annotations

import pytest

from oidproxy.manyclouds.finding import negatives as module
from oidproxy.manyclouds.finding.negatives import LASTS, Negatives


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def negatives(clock):
    return Negatives(clock)


def test_it_lasts_a_moment(negatives, clock):
    negatives.keep(b"id", "asked")
    assert negatives.hold(b"id", "asked")
    clock.now += LASTS
    assert not negatives.hold(b"id", "asked")


def test_it_is_one_question(negatives):
    negatives.keep(b"id", ("user", "*"))
    assert not negatives.hold(b"id", ("other", "*"))
    assert not negatives.hold(b"other", ("user", "*"))


def test_what_is_made_ends_it_for_everybody(negatives):
    negatives.keep(b"id", "one")
    negatives.keep(b"id", "two")
    negatives.keep(b"other", "one")
    negatives.forget(b"id")
    negatives.forget(b"unknown")
    assert not negatives.hold(b"id", "one")
    assert not negatives.hold(b"id", "two")
    assert negatives.hold(b"other", "one")


def test_memory_is_bounded_and_what_is_new_is_kept(negatives, clock, monkeypatch):
    monkeypatch.setattr(module, "ENTRIES", 10)
    for number in range(35):
        negatives.keep(b"%d" % number, "asked")
        assert negatives.hold(b"%d" % number, "asked")
    assert len(negatives._entries) <= 10
    clock.now += LASTS
    for number in range(100, 110):
        negatives.keep(b"%d" % number, "asked")
    assert b"34" not in negatives._entries


def test_what_one_item_is_asked_for_is_bounded_too(negatives, monkeypatch):
    monkeypatch.setattr(module, "QUESTIONS", 10)
    for number in range(100):
        negatives.keep(b"id", number)
    assert negatives.hold(b"id", 99)
    assert len(negatives._entries[b"id"]) <= 10
