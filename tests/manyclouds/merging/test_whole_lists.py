"""Lists without pages of their own are read as a whole, and paged here."""

from __future__ import annotations

import json

from tests.manyclouds.merging.clouds import Cloud, pages, read, shown, told, union_of


class Keystone(Cloud):
    """No order, no pages; or pages by markers of its own."""

    def answer(self, target):
        self.asked.append(target)
        return 200, json.dumps({"users": self.rows, "links": {"next": None}}).encode()


def test_users_come_by_id_in_pages_that_keystone_does_not_have():
    clouds = {
        leg: Keystone([{"id": one * 32, "name": one} for one in ids])
        for leg, ids in (("a", "c1f"), ("b", "2ea"))
    }
    found = pages(clouds, b"limit=4", service="identity", rest=b"/v3/users")
    assert ["".join(one[0] for one in page.shown.ids) for page in found] == ["12ac", "ef"]
    assert {ask for cloud in clouds.values() for ask in cloud.asked} == {b"/v3/users"}
    by_name = read(clouds, b"sort_key=name&sort_dir=desc&limit=2", service="identity", rest=b"/v3/users")
    assert "".join(one[0] for one in by_name.shown.ids) == "fe"


def test_rows_of_a_whole_list_that_stay_come_once_while_others_come_and_go():
    clouds = {leg: Keystone([{"id": one} for one in ids]) for leg, ids in (("a", "bdfhj"), ("b", "acegi"))}

    def between():
        gone = clouds["a"].rows.pop(0)
        clouds["b"].rows.append({"id": gone["id"] + "2"})

    found = [
        one
        for page in pages(clouds, b"limit=3", between=between, service="identity", rest=b"/v3/users")
        for one in shown(page)
    ]
    assert len(found) == len(set(found))
    assert set("acegi") <= set(found)


def test_a_whole_list_follows_the_clouds_own_links():
    answers = {
        b"/v2/zones": b'{"zones": [{"id": "2"}], "links": {"next": "http://x/v2/zones?marker=m%2F2&limit=1"}}',
        b"/v2/zones?marker=m%2F2": b'{"zones": [{"id": "1"}], "links": {"next": null}}',
    }
    union = union_of("dns", b"/v2/zones", b"", ["a"])
    (ask,) = union.asks()
    union.answered(ask, 200, answers[ask.target])
    (ask,) = union.asks()
    union.answered(ask, 200, answers[ask.target])
    assert union.asks() == []
    assert union.done
    assert shown(union.page()) == ["1", "2"]


def test_half_of_a_whole_list_is_not_shown():
    union = union_of("dns", b"/v2/zones", b"", ["a", "b"])
    told(
        union,
        {
            "a": b'{"zones": [{"id": "2"}], "links": {"next": "http://x/v2/zones?marker=2"}}',
            "b": b'{"zones": [{"id": "1"}], "links": {"next": null}}',
        },
    )
    (ask,) = union.asks()
    union.failed(ask.leg)
    page = union.page()
    assert shown(page) == ["1"]
    assert page.failed == ("a",)
