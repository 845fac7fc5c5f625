"""Clouds that mean harm, or know no better, spoil no more than their own rows."""

from __future__ import annotations

import json

import pytest

from tests.manyclouds.merging.clouds import Cloud, pages, read, server, shown, stamp


def test_a_cloud_that_takes_no_notice_of_markers_gives_no_row_twice():
    class Stubborn(Cloud):
        def answer(self, target):
            self.asked.append(target)
            link = [{"rel": "next", "href": "http://x/?marker=3"}]
            return 200, json.dumps({"servers": self.rows, "servers_links": link}).encode()

    stubborn = Stubborn([server(one, created=stamp(1)) for one in "321"])
    page = read({"a": stubborn, "b": Cloud([server("b", created=stamp(2))])})
    assert sorted(shown(page)) == ["1", "2", "3", "b"]
    assert page.last


def test_a_list_without_end_is_cut_off():
    class Endless(Cloud):
        def answer(self, target):
            self.asked.append(target)
            start = len(self.asked) * 1000
            rows = [{"id": str(start + n)} for n in range(1000)]
            return 200, json.dumps({"zones": rows, "links": {"next": f"http://x/?marker={start}"}}).encode()

    endless = Endless([])
    page = read({"a": endless}, service="dns", rest=b"/v2/zones")
    assert page.failed == ("a",)
    assert len(endless.asked) < 200


def test_a_cloud_whose_rows_all_vanish_under_its_markers_fails_in_the_end():
    class Forgetful(Cloud):
        def answer(self, target):
            self.asked.append(target)
            if b"marker" in target:
                return 404, b"{}"
            href = "http://x/?marker=1"
            return 200, json.dumps(
                {"servers": [server("1")], "servers_links": [{"rel": "next", "href": href}]}
            ).encode()

    forgetful = Forgetful([])
    page = read({"a": forgetful})
    assert page.failed == ("a",)
    assert shown(page) == ["1"]
    assert len(forgetful.asked) < 20


@pytest.mark.parametrize("value", [10**40, -(10**400), 1e300, "x" * 100_000, ["a"], {"b": 1}, True, "a\0b"])
def test_no_value_keeps_a_page_from_its_next(value):
    query = b"sort_key=size&sort_dir=desc&limit=1"
    odd = Cloud([{"id": one, "size": value} for one in "12"], keys=(), list_key="images")
    plain = Cloud([{"id": one, "size": 5} for one in "34"], keys=(), list_key="images")
    found = pages({"odd": odd, "plain": plain}, query, service="image", rest=b"/v2/images")
    assert sorted(one for page in found for one in shown(page)) == ["1", "2", "3", "4"]
