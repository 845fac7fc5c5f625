"""Scoped auth URLs: readable where every client carries them, else with a tag; always read back the same."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from oidproxy.errors import ScopeError
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import from_segment, tag
from oidproxy.scope.url import auth_url, segment
from tests.scope.corpus import valid


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<keystone:cloud-1;glance:cloud-999>", "identity:cloud-1;image:cloud-999"),
        ("paris", "paris"),
        ("*:paris", "paris"),
        ("*:paris;glance:rennes", "%2A:paris;image:rennes"),
        ("paris|rennes", "paris%7Crennes"),
        ("paris&rennes", "paris&rennes"),
        ("a%b", "a%25b"),
        ("any(2,@fr)", "any(2,@fr)"),
        ("edge-*", "edge-%2A"),
        ('"New York"', "%22New%20York%22"),
        ('"{scope}"', "%22%7Bscope%7D%22"),
        ("a.b_c-d", "a.b_c-d"),
        ("glance:dev", "image:dev"),
    ],
)
def test_the_readable_form_is_taken_where_it_can_be(text, expected):
    assert segment(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("paris/RegionOne", "gophercloud turns %2F into a slash"),
        ("glance:dev2", "gophercloud cuts at v2"),
        ("v3", "clients take it for the version of the API"),
        ("rev.1", "gophercloud cuts at v."),
        ("xab", "it looks like a tag"),
        ('"' + "é" * 30 + '"', "the tag is shorter"),
    ],
)
def test_the_tag_is_taken_where_a_client_would_break_the_readable_form(text, why):
    assert segment(parse(text)) == tag(parse(text)), why


@pytest.mark.parametrize("entry", valid(), ids=lambda entry: entry.canonical[:60])
def test_a_segment_reads_back_and_holds_nothing_that_clients_change(entry):
    scope = parse(entry.canonical)
    written = segment(scope)
    assert from_segment(written.encode()) == scope
    assert re.fullmatch(r"(?:[A-Za-z0-9:;=,@+&()!~._-]|%[0-9A-F]{2})+", written)
    assert not re.search(r"v[0-9.]", written)
    assert "/" not in unquote(written)


@pytest.mark.parametrize(
    "base",
    [
        "https://proxy.example:8888",
        "https://proxy.example:8888/",
        "https://proxy.example:8888/identity",
        "https://proxy.example:8888/identity/v3",
        "https://proxy.example:8888/identity/v3/",
        "https://proxy.example:8888/v3",
        "https://proxy.example:8888/s/rennes/identity/v3",
        "https://proxy.example:8888/s/x61/identity",
    ],
)
def test_the_base_is_the_proxys_address_or_any_auth_url_of_it(base):
    assert auth_url(parse("paris"), base) == "https://proxy.example:8888/s/paris/identity/v3"


def test_what_stands_before_the_proxys_own_path_is_kept():
    url = auth_url(parse("paris"), "http://[::1]/openstack/identity/v3")
    assert url == "http://[::1]/openstack/s/paris/identity/v3"


@pytest.mark.parametrize(
    "base",
    [
        "",
        "proxy:8888",
        "//proxy",
        "ftp://proxy",
        "http://",
        "http://proxy:port",
        "http://proxy:0",
        "http://proxy:99999",
        "http://proxy/?a",
        "http://proxy/#a",
        "http://me:secret@proxy",
        "http://[::1",
        "http://pro\nxy",
        "http://proxy/\x1b",
    ],
)
def test_a_base_that_is_no_address_is_refused_without_being_shown(base):
    with pytest.raises(ScopeError) as caught:
        auth_url(parse("paris"), base)
    assert caught.value.message == "the base is not the address of a proxy, as https://proxy.example:8888"
