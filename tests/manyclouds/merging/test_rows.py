"""Answers are split into rows as they came, and whatever is no list of rows says why."""

from __future__ import annotations

import json

import pytest

from oidproxy.manyclouds.merging.rows import Garbage, Reader, Rows, values_of

SERVERS = Reader("servers", ("id",), ("name", "created"))
ANY = Reader("", ("id",), ())


def test_rows_come_out_byte_for_byte_with_id_and_sort_values():
    rows = b' {"id":"1",  "name" : "\\u00e9", "x": {"id": "no"}} ,{"id": "2","created":3}'
    body = b'{"servers_links": [], "servers": [' + rows + b"]}"
    found = SERVERS.read(body)
    assert isinstance(found, Rows)
    assert [bytes(raw) for raw in found.batch.raws] == [
        b'{"id":"1",  "name" : "\\u00e9", "x": {"id": "no"}}',
        b'{"id": "2","created":3}',
    ]
    assert found.batch.ids == ["1", "2"]
    assert found.batch.columns == [["é", None], [None, 3]]
    assert not found.next


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "ends too early"),
        (b'{"servers": [{"id": "1"}, {"id', "ends too early"),
        (b"<html>no</html>", "not JSON"),
        (b'{"servers": [{"id": "1"}]} trailing', "not JSON"),
        (b'{"servers": [{"id": "\xff"}]}', "not JSON"),
        (b'{"servers": [{"id": "1", "a": "\xff"}]}', "not JSON"),
        (b'{"servers": [{"id": "1", "a": 01}]}', "not JSON"),
        (b'{"servers": ' + b"[" * 9000 + b"]" * 9000 + b"}", ""),
        (b'{"servers": [{"id": "1", "a": ' + b"[" * 9000 + b"]" * 9000 + b"}]}", "not JSON"),
        (b'{"server": []}', "not those of this collection"),
        (b'{"servers": {"id": "1"}}', "not those of this collection"),
        (b'{"servers": ["1"]}', "not those of this collection"),
        (b'{"servers": [{"name": "x"}]}', "not those of this collection"),
        (b'{"servers": [{"id": "' + b"x" * 5000 + b'"}]}', "longer than any"),
        (b'{"servers": [{"id": 1}]}', "not those of this collection"),
        (b"[]", "not those of this collection"),
    ],
)
def test_garbage_says_why(body, reason):
    found = SERVERS.read(body)
    assert isinstance(found, Garbage)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("document", "marker"),
    [
        (
            {
                "servers_links": [
                    {"rel": "prev", "href": "x"},
                    {"rel": "next", "href": "http://h/p?a=1&marker=m%2F1"},
                ]
            },
            "m/1",
        ),
        ({"next": "/v2/images?marker=m"}, "m"),
        ({"links": {"self": "s", "next": "http://h/?marker=m&limit=2", "previous": None}}, "m"),
        ({"links": [{"rel": "next", "href": "http://h/?marker=m"}]}, "m"),
    ],
)
def test_the_next_link_in_every_form(document, marker):
    found = SERVERS.read(json.dumps({"servers": [], **document}).encode())
    assert found.next
    assert found.marker == marker


@pytest.mark.parametrize(
    "links", [{"servers_links": []}, {"next": None}, {"links": {"next": None}}, {"links": 3}]
)
def test_no_next_link(links):
    assert SERVERS.read(json.dumps({"servers": [], **links}).encode()).next == ""


def test_a_keypair_is_found_a_member_deeper():
    found = Reader("keypairs", ("keypair", "name"), ()).read(b'{"keypairs": [{"keypair": {"name": "mine"}}]}')
    assert found.batch.ids == ["mine"]
    assert bytes(found.batch.raws[0]) == b'{"keypair": {"name": "mine"}}'


def test_the_list_of_an_unknown_api_is_the_one_list_of_objects():
    found = ANY.read(b'{"count": 1, "tags": ["x"], "stacks": [{"id": "1"}], "stacks_links": [{"rel": "x"}]}')
    assert (found.list_key, found.batch.ids) == ("stacks", ["1"])
    assert isinstance(ANY.read(b'{"a": [{}], "b": [{}]}'), Garbage)
    assert isinstance(ANY.read(b'{"limits": {"rate": []}}'), Garbage)
    assert isinstance(ANY.read(b"[]"), Garbage)


def test_rows_without_an_id_are_known_by_what_they_have():
    found = ANY.read(
        b'{"zones": [{"name": "nova"}, {"uuid": "u"}, {"id": 7}, {"state": true}, {"state": false}]}'
    )
    assert found.batch.ids[:3] == ["nova", "u", "7"]
    assert len(set(found.batch.ids)) == 5


def test_members_that_no_row_can_have_are_null():
    found = Reader("ports", ("id",), ('a"b', "", "id", "tags")).read(
        b'{"ports": [{"id": "1", "tags": ["x"]}]}'
    )
    assert found.batch.columns == [[None], [None], ["1"], [None]]


def test_the_values_of_one_row():
    assert values_of(b'{"server": {"id": "1", "name": "n"}}', ("id",), ("name", "x")) == ("n", None)
    assert values_of(b'{"id": "1", "name": "n", "size": 3}', ("id",), ("size",)) == (3,)
    assert values_of(b'{"server": {"name": "n"}}', ("id",), ()) is None
    assert values_of(b"{}", ("id",), ()) is None
    assert values_of(b"<", ("id",), ()) is None
