"""Answers that are read whole: told once, and never more of them in memory than is allowed."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace

import pytest

from oidproxy.http.head import Length, NoBody
from oidproxy.upstream.fetching import Collecting

LIMIT = 1 << 20


class Heard(Collecting):
    def __init__(self, limit=LIMIT):
        super().__init__("cloud-1", limit)
        self.said = []
        self.cancelled = 0
        self.belongs_to(SimpleNamespace(cancel=self.cancel))

    def cancel(self):
        self.cancelled += 1

    def collected(self, head, body):
        self.said.append(body)

    def failed(self, error):
        self.said.append(error.message)


def head(framing=NoBody()):  # noqa: B008 - a value
    return SimpleNamespace(framing=framing, status=200)


@pytest.mark.parametrize("pieces", [[], [b"abc"], [b"a", b"b"], [b"a", b"b", b"c"], [b"", b"a", b""]])
def test_the_pieces_are_told_as_one(pieces):
    one = Heard()
    one.answer(head())
    for piece in pieces:
        one.data(piece)
    one.end()
    one.end()
    assert one.said == [b"".join(pieces)]
    assert type(one.said[0]) is bytes


@pytest.mark.parametrize("framing", [Length(LIMIT + 1), NoBody()])
def test_what_is_too_large_is_cut_off_and_told_once(framing):
    one = Heard()
    one.answer(head(framing))
    for _ in range(3):
        one.data(b"x" * (LIMIT // 2 + 1))
    one.end()
    assert (one.said, one.cancelled) == ([f"cloud-1: its answer is larger than {LIMIT} bytes."], 1)


def test_pieces_of_two_bytes_take_no_more_room_than_the_whole():
    """Each by itself takes 35 bytes and a place in a list."""
    one = Heard()
    one.answer(head())
    tracemalloc.start()
    try:
        for number in range(LIMIT // 4):
            one.data(b"%02d" % (number % 100))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LIMIT * 2
    one.end()
    assert len(one.said[0]) == LIMIT // 2
