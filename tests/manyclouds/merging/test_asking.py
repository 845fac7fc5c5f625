"""What a union asks which clouds, and how much of each."""

from __future__ import annotations

import json

from tests.manyclouds.merging.clouds import (
    SERVERS,
    Cloud,
    document,
    pages,
    read,
    server,
    shown,
    stamp,
    union_of,
)


def test_few_rows_are_asked_of_many_clouds_and_all_of_few():
    def limits(count, limit):
        asks = union_of("compute", SERVERS, b"limit=%d" % limit, [str(one) for one in range(count)]).asks()
        return {ask.target.rpartition(b"=")[2] for ask in asks}

    assert limits(1000, 100) == {b"4"}
    assert limits(10, 100) == {b"40"}
    assert limits(2, 100) == {b"100"}
    assert limits(3, 2) == {b"2"}


def test_without_a_limit_clouds_give_what_they_like_but_glance_as_much_as_it_can():
    assert {ask.target for ask in union_of("compute", SERVERS).asks()} == {SERVERS}
    assert {ask.target for ask in union_of("image", b"/v2/images").asks()} == {b"/v2/images?limit=1000"}


def test_a_cloud_that_has_all_the_first_rows_is_asked_again_and_the_others_are_not():
    clouds = {
        f"cloud-{one}": Cloud([server(f"old-{one}-{n}", created=stamp(n + 1)) for n in range(9)])
        for one in range(30)
    }
    clouds["new"] = Cloud([server(f"new-{n:02}", created=stamp(28)) for n in range(50)])
    page = read(clouds, b"limit=20")
    assert set(page.shown.legs) == {"new"}
    assert len(clouds["new"].asked) > 1
    assert clouds["new"].given <= 20
    assert all(len(cloud.asked) == 1 for name, cloud in clouds.items() if name != "new")


def test_one_late_cloud_of_many_does_not_keep_the_others_from_being_asked_for_more():
    legs = [f"cloud-{one}" for one in range(20)]
    clouds = {leg: Cloud([server(f"{leg}-{n}") for n in range(9)]) for leg in legs}
    union = union_of("compute", SERVERS, b"limit=100", legs)
    asks = union.asks()
    for ask in asks[1:]:
        union.answered(ask, *clouds[ask.leg].answer(ask.target))
    assert not union.asks()  # nineteen have enough
    union = union_of("compute", SERVERS, b"limit=1000", legs)
    asks = union.asks()
    for cloud in clouds.values():
        cloud.longest = 5
    for ask in asks[1:]:
        union.answered(ask, *clouds[ask.leg].answer(ask.target))
    assert {ask.leg for ask in union.asks()} == set(legs[1:])


def test_late_clouds_are_not_waited_for_when_time_gets_short():
    legs = [f"cloud-{one}" for one in range(8)]
    clouds = {leg: Cloud([server(f"{leg}-{n}") for n in range(99)]) for leg in legs}
    union = union_of("compute", SERVERS, b"limit=100", legs)
    asks = union.asks()
    for ask in asks[:2]:
        union.answered(ask, *clouds[ask.leg].answer(ask.target))
    assert not union.asks()
    union.hurry()
    (ask,) = union.asks()
    assert ask.leg in {"cloud-0", "cloud-1"}
    assert not union.done


def test_neutron_gets_a_limit_with_every_marker_since_it_takes_no_notice_of_one_without():
    clouds = {
        "a": Cloud([{"id": f"{n}"} for n in range(5)], keys=(("id", False),), list_key="ports", longest=2)
    }
    page = read(clouds, service="network", rest=b"/v2.0/ports")
    assert shown(page) == ["0", "1", "2", "3", "4"]
    assert [ask.partition(b"?")[2] for ask in clouds["a"].asked] == [
        b"",
        b"limit=1000&marker=1",
        b"limit=1000&marker=3",
    ]


def test_an_unlimited_list_is_followed_to_its_end():
    clouds = {"a": Cloud([server(f"{n:03}") for n in range(25)], longest=10), "b": Cloud([server("b")])}
    page = read(clouds)
    assert len(shown(page)) == 26
    assert page.last
    assert page.next is None


def test_an_unlimited_list_has_an_end_all_the_same():
    clouds = {"a": Cloud([server(f"{n:03}") for n in range(25)], longest=10)}
    found = pages(clouds, at_most=10)
    assert [len(shown(page)) for page in found] == [10, 10, 5]
    assert b"limit" not in json.dumps(document(found[0])["servers_links"]).encode()
