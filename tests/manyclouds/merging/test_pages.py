"""What a page shows, and what it says of itself."""

from __future__ import annotations

import json

import pytest

from oidproxy.manyclouds.merging.collections import collection
from oidproxy.manyclouds.merging.question import Question
from oidproxy.manyclouds.merging.union import Union
from tests.manyclouds.merging.clouds import (
    BASE,
    SERVERS,
    USER,
    Cloud,
    Database,
    begin,
    document,
    drive,
    pages,
    read,
    server,
    shown,
    stamp,
    three,
    told,
    union_of,
    with_marker,
)


def test_rows_are_merged_newest_first_byte_for_byte():
    page = read(three())
    assert shown(page) == ["9", "8", "7", "6", "5", "4", "3", "2", "1"]
    assert page.shown.legs[0] == "cloud-3"
    assert page.body(BASE).startswith(b'{"servers":[{"id": "9", "name": "9", "created": "2025')


def test_no_rows_are_an_empty_list():
    page = read({"a": Cloud([]), "b": Cloud([])})
    assert document(page) == {"servers": []}
    assert page.next is None


def test_no_limit_at_all_shows_nothing_where_the_api_says_so():
    cloud = Cloud([server("1")], list_key="images")
    page = read({"a": cloud}, b"limit=0", service="image", rest=b"/v2/images")
    assert shown(page) == []
    assert page.next is None


def test_brief_rows_keep_nothing_that_the_client_did_not_ask_for():
    rows = three()
    page = read(rows, rest=b"/v2.1/servers")
    assert shown(page)[0] == "9"
    assert document(page)["servers"][0] == {"id": "9", "name": "9"}
    assert all(cloud.asked[0].startswith(SERVERS) for cloud in rows.values())


def test_annotated_rows_say_where_they_are_from_and_no_cloud_can_say_otherwise():
    clouds = three()
    clouds["cloud-1"].rows[0]["oid:cloud"] = "cloud-2"
    rows = document(read(clouds, annotate=True))["servers"]
    assert {row["id"]: row["oid:cloud"] for row in rows} == {
        str(day): f"cloud-{(day - 1) % 3 + 1}" for day in range(1, 10)
    }


def test_images_are_never_annotated():
    cloud = Cloud([{"id": "1", "created_at": stamp(1)}], list_key="images")
    page = read({"a": cloud}, service="image", rest=b"/v2/images", annotate=True)
    assert document(page)["images"] == cloud.rows


def test_rows_are_rewritten_one_by_one_and_only_those_shown():
    clouds = three()
    union = union_of("compute", SERVERS, b"limit=2", list(clouds))
    drive(union, clouds)
    seen = []

    def rewritten(leg, row):
        seen.append(leg)
        return row.replace(b"ACTIVE", b"MOVED")

    rows = document(union.page(rewritten))["servers"]
    assert [row["status"] for row in rows] == ["MOVED", "MOVED"]
    assert seen == ["cloud-3", "cloud-2"]


def test_rows_of_silent_clouds_that_are_known_come_last_and_within_the_limit():
    clouds = three()
    clouds["cloud-2"].down = True

    def page_of(cursor=None):
        union = Union(Question.of(collection("compute", SERVERS), b"limit=4", USER), list(clouds), cursor)
        drive(union, clouds)
        union.absent([("cloud-2", "8"), ("cloud-2", "5"), ("cloud-2", "2")])
        return union.page(annotate=True)

    store: dict = {}
    rows, marker = [], ""
    while True:
        question = Question.of(collection("compute", SERVERS), with_marker(b"limit=4", marker), USER)
        page = page_of(begin(question, list(clouds), clouds, store) if marker else None)
        rows.append(document(page)["servers"])
        if page.last:
            break
        store.update(page.next.keep)
        marker = page.next.marker
    assert [[row["id"] for row in part] for part in rows] == [
        ["9", "7", "6", "4"],
        ["3", "1", "2", "5"],
        ["8"],
    ]
    assert rows[2] == [{"id": "8", "status": "UNKNOWN", "oid:cloud": "cloud-2"}]


@pytest.mark.parametrize(
    ("service", "rest", "body", "beside"),
    [
        (
            "compute",
            SERVERS,
            {"servers": [{"id": "1"}, {"id": "2"}]},
            lambda marker: {
                "servers_links": [
                    {"rel": "next", "href": f"http://p{SERVERS.decode()}?a=b&limit=1&marker={marker}"}
                ]
            },
        ),
        (
            "image",
            b"/v2/images",
            {"images": [{"id": "1"}, {"id": "2"}]},
            lambda marker: {
                "first": "/v2/images?a=b&limit=1",
                "next": f"/v2/images?a=b&limit=1&marker={marker}",
                "schema": "/v2/schemas/images",
            },
        ),
        (
            "identity",
            b"/v3/users",
            {"users": [{"id": "1"}, {"id": "2"}], "links": {"next": None}},
            lambda marker: {
                "links": {
                    "self": "http://p/v3/users?a=b&limit=1",
                    "previous": None,
                    "next": f"http://p/v3/users?a=b&limit=1&marker={marker}",
                }
            },
        ),
        (
            "baremetal",
            b"/v1/nodes",
            {"nodes": [{"uuid": "1"}, {"uuid": "2"}]},
            lambda marker: {"next": f"http://p/v1/nodes?a=b&limit=1&marker={marker}"},
        ),
    ],
)
def test_the_link_to_the_next_page_in_each_apis_form(service, rest, body, beside):
    union = union_of(service, rest, b"a=b&limit=1", ["a"])
    told(union, {"a": json.dumps(body).encode()})
    page = union.page()
    (list_key, *_) = body
    row = body[list_key][0]
    assert document(page, "http://p") == {list_key: [row], **beside(page.next.marker)}


def test_clouds_that_count_are_counted_together():
    union = union_of("block-storage", b"/v3/volumes/detail", b"with_count=true")
    told(union, dict.fromkeys("ab", b'{"volumes": [], "count": 7}'))
    assert document(union.page()) == {"volumes": [], "count": 14}


def test_whoever_gives_garbage_or_nothing_is_named_and_the_others_are_shown():
    clouds = three()
    union = union_of("compute", SERVERS, b"", [*clouds, "garbage", "cut", "refuses", "silent", "late"])
    asks = {ask.leg: ask for ask in union.asks()}
    for leg, cloud in clouds.items():
        assert union.answered(asks[leg], *cloud.answer(asks[leg].target)) is None
    assert "not JSON" in union.answered(asks["garbage"], 200, b"<html>").message
    assert "too early" in union.answered(asks["cut"], 200, b'{"servers": [{"id": "1"}').message
    assert union.answered(asks["refuses"], 403, b"{}").status == 403
    union.failed("silent")
    page = union.page()
    assert len(shown(page)) == 9
    assert set(page.failed) == {"garbage", "cut", "refuses", "silent", "late"}
    assert page.last


def test_a_cloud_of_another_order_is_merged_as_it_came_and_named():
    clouds = three()
    clouds["cloud-2"].database = Database(scrambled=True)
    page = read(clouds)
    assert page.disordered == ("cloud-2",)
    theirs = [one for one, leg in zip(page.shown.ids, page.shown.legs, strict=True) if leg == "cloud-2"]
    assert theirs == [
        row["id"] for row in clouds["cloud-2"].database.sort(clouds["cloud-2"].rows, (("created", True),))
    ]


def test_the_order_that_most_clouds_keep_is_the_pages_and_stays_so():
    names = ["a", "B", None, "c"]
    clouds = {
        f"cloud-{one}": Cloud(
            [{**server(f"{one}-{at}"), "name": name} for at, name in enumerate(names)],
            Database(fold=str, nulls_high=True),
            (("name", False),),
        )
        for one in range(3)
    }
    clouds["odd"] = Cloud(
        [{**server(f"odd-{at}"), "name": name} for at, name in enumerate(names)], keys=(("name", False),)
    )
    query = b"sort_key=display_name&sort_dir=asc"
    page = read(clouds, query)
    assert page.disordered == ("odd",)
    parts = pages(clouds, query + b"&limit=5")
    by_name = {row["id"]: row["name"] for cloud in clouds.values() for row in cloud.rows}
    listed = [
        by_name[one]
        for part in parts
        for one, leg in zip(part.shown.ids, part.shown.legs, strict=True)
        if leg != "odd"
    ]
    assert listed == ["B"] * 3 + ["a"] * 3 + ["c"] * 3 + [None] * 3


def test_a_list_found_by_looking_has_the_name_that_most_clouds_give_it():
    union = union_of("orchestration", b"/v1/" + b"0" * 32 + b"/stacks", b"", ["liar", "a", "b"])
    told(
        union,
        {
            "liar": b'{"evil": [{"id": "x"}]}',
            "a": b'{"stacks": [{"id": "1"}]}',
            "b": b'{"stacks": [{"id": "2"}], "stacks_links": []}',
        },
    )
    page = union.page()
    assert document(page) == {"stacks": [{"id": "1"}, {"id": "2"}]}
    assert page.failed == ("liar",)
