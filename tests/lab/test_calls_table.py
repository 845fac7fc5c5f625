"""The page of calls is what services and proxy do: the same operations again, row by row.

What is kept by whoever asked may be missing in a run. A call that the page does not have may not occur, but
for a login: any service may need a new token just now.
"""

from __future__ import annotations

import re

import pytest

from tests.lab.calls import PROXY
from tests.lab.calls_page import ALWAYS, FIRST, OPERATIONS, PAGE, SOMETIMES, rows, run
from tests.lab.wire import requests
from tests.lab.wiretap import Stream

TITLES = tuple(title for title, *_ in OPERATIONS)
HERE, THERE = ("127.0.0.1", 40000), ("127.0.0.2", 80)


@pytest.fixture(scope="module")
def seen(lab):
    """What another run shows."""
    return run(lab)


@pytest.mark.parametrize("title", TITLES)
def test_no_call_is_missing_on_the_page(seen, title):
    called = {row.comparable for row in seen[title] if not row.logs_in and not row.remembered}
    assert called - rows(title, ALWAYS, SOMETIMES) == set()


def test_nothing_else_is_asked_for_the_first_time(seen):
    # Which operation is the first to ask depends on how fast they follow each other.
    asked = {row.comparable for told in seen.values() for row in told if row.remembered and not row.logs_in}
    assert asked - {row for title in TITLES for row in rows(title, FIRST)} == set()


@pytest.mark.parametrize("title", TITLES)
def test_whatever_always_happens_happened(seen, title):
    expected = rows(title, ALWAYS)
    assert expected
    assert expected - {row.comparable for row in seen[title]} == set()


def arrivals(seen):
    """(service, cloud, form, home) of every token that came to a cloud."""
    for row in (row for told in seen.values() for row in told):
        # Such a question is answered by the proxy, which asks in its own words.
        if row.service == "identity" and row.reached != row.at and row.caller != PROXY:
            continue
        for cell in filter(None, row.tokens):
            form, _, owner = cell.rpartition(" → ")[2].partition(": ")
            yield row.service, row.reached, form, owner.partition("@")[2]


def test_a_token_is_closed_for_the_service_wherever_it_is_not_at_home(seen):
    abroad = [one for one in arrivals(seen) if one[1] != one[3]]
    assert {one[0] for one in abroad} == {"image", "block-storage"}
    assert all(form.startswith(f"closed for {service} of {cloud} to ") for service, cloud, form, _ in abroad)


def test_a_closed_token_of_a_service_is_for_validation_alone(seen):
    accompanying = {row.tokens[2] for told in seen.values() for row in told if "closed" in row.tokens[2]}
    assert accompanying
    assert all(" to validate: nova@cloud-1" in cell for cell in accompanying)


def test_keystone_is_shown_bare_tokens_of_its_own_cloud_alone(seen):
    shown = {one[1:] for one in arrivals(seen) if one[0] == "identity"}
    assert ("cloud-1", "bare", "cloud-1") in shown
    assert shown <= {("cloud-1", "bare", "cloud-1"), ("cloud-999", "bare", "cloud-999")}


def test_the_page_shows_no_token():
    # A Fernet token begins so; both envelopes are long and without a blank.
    assert "gAAAA" not in PAGE.read_text()
    assert re.search(r"[A-Za-z0-9_~-]{48}", PAGE.read_text()) is None


def heard(data, missing=0):
    return requests([Stream(HERE, THERE, data, missing)])


def test_requests_are_found_one_behind_the_other():
    put = b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n3;x=y\r\n \r\n\r\n0\r\n\r\n"
    post = b"POST /b?c=d HTTP/1.1\r\nX-Auth-Token: one: two\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
    found = heard(put + post + b"GET /e HTTP/1.1\r\nHost: f\r\n\r\n")
    assert [(one.method, one.path, one.body) for one in found] == [
        ("PUT", "/a", b"GET \r\n"),
        ("POST", "/b?c=d", b"\r\n\r\n"),
        ("GET", "/e", b""),
    ]
    assert found[1].fields["x-auth-token"] == "one: two"


def test_a_wire_that_was_cut_into_gives_what_is_whole():
    found = heard(b"rest of a body\nGET /a HTTP/1.1\r\nHost: b\r\n\r\nGET /c HTTP/1.1\r\nHo")
    assert [one.path for one in found] == ["/a"]


def test_nothing_of_a_request_is_shown_but_its_line():
    (one,) = heard(b"GET /a HTTP/1.1\r\nX-Auth-Token: secret\r\nContent-Length: 6\r\n\r\nhidden")
    assert "secret" not in repr(one)
    assert "hidden" not in repr(one)
