"""Which rows were shown of which cloud: kept for one user and list, bounded, the newest first to stay."""

from __future__ import annotations

import pytest

from oidproxy.manyclouds import remembering
from oidproxy.manyclouds.merging.collections import collection
from oidproxy.manyclouds.merging.question import Question
from oidproxy.manyclouds.remembering import Listed, Remembering


class Kept:
    """The part of a store that is used."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    async def get(self, key):
        return self.entries.get(key)

    async def put(self, key, value, *, until, durable=False):
        self.entries[key] = value


def listed(query: bytes = b"", user: bytes = b"u", path: bytes = b"/v2.1/servers") -> Listed:
    return Listed(user, "compute", Question.of(collection("compute", path), query, user))


@pytest.fixture
def known():
    return Remembering(Kept(), lambda: 0.0)


async def test_a_page_adds_and_a_whole_list_takes_the_place(known):
    await known.keep(listed(), {"a": ["1", "2"], "b": ["3"]}, whole=False)
    await known.keep(listed(), {"a": ["2", "4"]}, whole=False)
    assert await known.rows(listed(), ["a", "b", "c"]) == [("a", "1"), ("a", "2"), ("a", "4"), ("b", "3")]
    await known.keep(listed(), {"a": ["5"]}, whole=True)
    assert await known.rows(listed(), ["a", "b"]) == [("a", "5"), ("b", "3")]


async def test_order_limit_and_details_make_no_other_list_but_filters_and_users_do(known):
    await known.keep(listed(b"name=x&limit=2"), {"a": ["1"]}, whole=False)
    for same in (
        listed(b"name=x"),
        listed(b"sort_key=id&name=x&marker=m"),
        listed(b"name=x", path=b"/v2.1/servers/detail"),
    ):
        assert await known.rows(same, ["a"]) == [("a", "1")]
    for other in (
        listed(),
        listed(b"name=y"),
        listed(b"name=x", b"v"),
        listed(b"name=x", path=b"/v2.1/flavors"),
    ):
        assert await known.rows(other, ["a"]) == []


async def test_of_too_many_rows_those_of_the_clouds_that_answered_last_are_kept(known, monkeypatch):
    monkeypatch.setattr(remembering, "ROWS_AT_MOST", 5)
    await known.keep(listed(), {"a": ["1", "2"], "b": ["3", "4"]}, whole=False)
    await known.keep(listed(), {"c": ["5", "6"]}, whole=False)
    assert await known.rows(listed(), ["a", "b", "c"]) == [("b", "3"), ("b", "4"), ("c", "5"), ("c", "6")]


async def test_lists_with_ever_new_filters_take_one_anothers_place_and_not_that_of_the_whole():
    store = Kept()
    known = Remembering(store, lambda: 0.0)
    await known.keep(listed(), {"a": ["1"]}, whole=True)
    for number in range(100):
        await known.keep(listed(b"name=%d" % number), {"a": [f"{number}"]}, whole=True)
    assert len(store.entries) <= 1 + remembering.FILTERED
    assert await known.rows(listed(), ["a"]) == [("a", "1")]
    assert await known.rows(listed(b"name=99"), ["a"]) == [("a", "99")]
    found = [await known.rows(listed(b"name=%d" % number), ["a"]) for number in range(100)]
    assert {(("a", f"{number}"),) for number in range(100)} >= {tuple(rows) for rows in found if rows}
