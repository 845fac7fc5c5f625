"""Where the next page begins, however the client asks for it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from oidproxy.errors import BadRequest
from tests.manyclouds.merging.clouds import (
    Cloud,
    document,
    pages,
    read,
    server,
    shown,
    stamp,
    three,
    with_marker,
)


def test_a_plain_id_is_a_marker_even_if_nobody_remembers_it():
    clouds = three()
    page = read(clouds, b"marker=6&limit=3")
    assert shown(page) == ["5", "4", "3"]
    assert shown(read(clouds, b"marker=6")) == ["5", "4", "3", "2", "1"]


def test_all_pages_by_plain_ids_that_nobody_remembers():
    clouds = three()
    found, marker = [], ""
    while ids := shown(read(clouds, with_marker(b"limit=2", marker))):
        found += ids
        marker = ids[-1]
    assert found == ["9", "8", "7", "6", "5", "4", "3", "2", "1"]


def test_an_id_of_no_row_is_refused():
    with pytest.raises(BadRequest):
        read(three(), b"marker=nobody")


def test_behind_the_last_page_there_is_an_empty_one_asked_for_cheaply():
    clouds = three()
    store: dict = {}
    page = read(clouds, b"limit=9", store=store)
    assert page.last
    assert "servers_links" not in document(page)
    for cloud in clouds.values():
        cloud.asked.clear()
    behind = read(clouds, b"limit=9&marker=1", store=store)
    assert shown(behind) == []
    assert behind.next is None
    assert all(len(cloud.asked) == 1 and b"marker=" in cloud.asked[0] for cloud in clouds.values())


def test_rows_of_one_id_in_several_clouds_are_all_shown_by_pages_of_one():
    clouds = {
        f"cloud-{one}": Cloud(
            [{"id": name, "name": name} for name in ("1", "2")], keys=(("id", False),), list_key="flavors"
        )
        for one in range(3)
    }
    for by_id in (False, True):
        found = pages(clouds, b"limit=1", ids=by_id, rest=b"/v2.1/flavors/detail")
        assert [
            (one, leg) for part in found for one, leg in zip(part.shown.ids, part.shown.legs, strict=True)
        ] == [(identity, f"cloud-{one}") for identity in ("1", "2") for one in range(3)]


def test_a_marker_in_the_store_that_has_expired_is_refused():
    clouds = {f"cloud-{one}": Cloud([server(str(uuid4())) for n in range(3)]) for one in range(60)}
    page = read(clouds, b"limit=100")
    with pytest.raises(BadRequest, match="expired"):
        read(clouds, with_marker(b"limit=100", page.next.marker))


def test_a_marker_of_another_query_is_refused():
    clouds = three()
    page = read(clouds, b"limit=2")
    with pytest.raises(BadRequest):
        read(clouds, with_marker(b"limit=2&name=x", page.next.marker))


def test_a_deleted_marker_row_costs_one_question_more():
    clouds = {"a": Cloud([server(f"{n}", created=stamp(n)) for n in range(1, 9)])}
    store: dict = {}
    page = read(clouds, b"limit=4", store=store)
    clouds["a"].rows = [row for row in clouds["a"].rows if row["id"] != "5"]
    clouds["a"].asked.clear()
    assert shown(read(clouds, with_marker(b"limit=4", page.next.marker), store=store)) == ["4", "3", "2", "1"]
    assert [ask.rpartition(b"marker=")[2] for ask in clouds["a"].asked] == [b"5", b"6"]
