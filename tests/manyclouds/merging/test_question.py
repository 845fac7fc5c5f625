"""What a query means, and what the clouds are asked for it."""

from __future__ import annotations

import pytest

from oidproxy.errors import BadRequest, NotSupported
from oidproxy.manyclouds.merging.collections import collection
from oidproxy.manyclouds.merging.question import Question

SERVERS, BRIEF = b"/v2.1/servers/detail", b"/v2.1/servers"
VOLUMES, IMAGES, PORTS = b"/v3/volumes/detail", b"/v2/images", b"/v2.0/ports"


def asked(service, rest, query, user=b"demo"):
    return Question.of(collection(service, rest), query, user)


def order(question):
    return [(key.member, "desc" if key.descending else "asc") for key in question.keys]


@pytest.mark.parametrize(
    ("service", "rest", "query", "expected"),
    [
        ("compute", SERVERS, b"", [("created", "desc")]),
        ("compute", SERVERS, b"sort_key=display_name&sort_dir=asc", [("name", "asc")]),
        ("compute", SERVERS, b"sort_key=display_name", [("name", "desc")]),
        (
            "compute",
            SERVERS,
            b"sort_key=vm_state&sort_key=uuid&sort_dir=asc",
            [("OS-EXT-STS:vm_state", "asc"), ("id", "asc")],
        ),
        ("compute", SERVERS, b"sort_key=root_gb", [("created", "desc")]),
        ("compute", b"/v2.1/flavors/detail", b"", [("id", "asc")]),
        ("compute", b"/v2.1/flavors/detail", b"sort_key=memory_mb", [("ram", "asc")]),
        ("compute", b"/v2.1/os-keypairs", b"", []),
        ("image", IMAGES, b"", [("created_at", "desc")]),
        ("image", IMAGES, b"sort=name:asc,size", [("name", "asc"), ("size", "desc")]),
        ("image", IMAGES, b"sort_key=name&sort_key=size&sort_dir=asc", [("name", "asc"), ("size", "asc")]),
        (
            "block-storage",
            VOLUMES,
            b"sort=display_name%3Aasc%2Csize%3Adesc",
            [("name", "asc"), ("size", "desc")],
        ),
        ("network", PORTS, b"", []),
        (
            "network",
            PORTS,
            b"sort_key=name&sort_dir=desc&sort_key=id&sort_dir=asc",
            [("name", "desc"), ("id", "asc")],
        ),
        ("network", PORTS, b"sort_key=name&sort_key=name&sort_dir=asc&sort_dir=desc", [("name", "asc")]),
        ("identity", b"/v3/users", b"", []),
    ],
)
def test_the_order_of_each_api(service, rest, query, expected):
    assert order(asked(service, rest, query)) == expected


def test_filters_travel_on_as_they_came():
    question = asked("compute", SERVERS, b"name=a%20b&limit=7&status=ACTIVE&marker=x&all_tenants")
    assert (question.limit, question.marker) == (7, "x")
    assert question.target(3, "é/1") == (
        b"/v2.1/servers/detail?name=a%20b&status=ACTIVE&all_tenants&limit=3&marker=%C3%A9%2F1"
    )
    assert question.target(None, "") == b"/v2.1/servers/detail?name=a%20b&status=ACTIVE&all_tenants"
    assert question.page_query("m~1") == b"name=a%20b&status=ACTIVE&all_tenants&limit=7&marker=m~1"


def test_brief_rows_are_read_in_detail_where_the_order_needs_it():
    assert asked("compute", BRIEF, b"").target(2, "") == b"/v2.1/servers/detail?limit=2"
    assert asked("compute", BRIEF, b"").cut == {"id", "name", "links"}
    by_name = asked("compute", BRIEF, b"sort_key=display_name")
    assert by_name.target(2, "") == b"/v2.1/servers?sort_key=display_name&limit=2"
    assert not by_name.cut
    assert not asked("compute", b"/v2.1/flavors", b"").cut


def test_fields_that_merging_needs_are_asked_for_too():
    question = asked("network", PORTS, b"fields=mac_address&sort_key=name&sort_dir=asc")
    assert question.target(None, "") == (
        b"/v2.0/ports?fields=mac_address&sort_key=name&sort_dir=asc&fields=id&fields=name"
    )
    assert question.cut == {"mac_address"}
    assert not asked("network", PORTS, b"fields=id&fields=mac_address").cut


@pytest.mark.parametrize("limit", [b"x", b"-1", b"1.5", b"%C2%B2", b"9" * 30])
def test_a_limit_is_a_number(limit):
    with pytest.raises(BadRequest, match="limit"):
        asked("compute", SERVERS, b"limit=" + limit)


@pytest.mark.parametrize("part", [b"page_reverse=True", b"offset=20"])
def test_what_means_something_within_one_cloud_only_is_refused(part):
    with pytest.raises(NotSupported):
        asked("network", PORTS, part)
    assert asked("network", PORTS, part.partition(b"=")[0] + b"=0").limit is None


def test_the_binding_is_the_users_and_the_querys_whatever_the_page():
    first = asked("compute", SERVERS, b"name=a&limit=5").binding
    assert first == asked("compute", SERVERS, b"limit=9&marker=z&name=a").binding
    others = [
        asked("compute", SERVERS, b"name=b").binding,
        asked("compute", SERVERS, b"name=a", b"admin").binding,
        asked("compute", b"/v2.1/flavors/detail", b"name=a").binding,
    ]
    assert first not in others
