"""Markers: what they hold comes back, for the same user and query only, and they stay short."""

from __future__ import annotations

import zlib
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oidproxy.errors import BadRequest
from oidproxy.manyclouds.merging.cursor import (
    STATELESS_AT_MOST,
    Cursor,
    Place,
    alias,
    decoded,
    is_ours,
    is_stored,
    leg_key,
    marker_of,
    opened,
)
from oidproxy.tokens import base64url

BINDING = b"0123456789ab"
IDS = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda one: one.hex),
    st.text("aé/ -\0", max_size=40),
    st.sampled_from(["1", "m1.small", "5F0E7D0C-5D3A-4F5E-9D1C-3A8A9F2B1C4D", "-" * 36, "0" * 31 + "A"]),
)
VALUES = st.lists(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text("aé\0", max_size=5)),
    max_size=3,
).map(tuple)
PLACES = st.builds(
    Place, IDS, VALUES, st.integers(-1, 2**12), st.lists(IDS, max_size=3).map(tuple), st.booleans()
)
CURSORS = st.builds(
    Cursor,
    st.just(BINDING),
    st.dictionaries(st.text(max_size=5).map(leg_key), PLACES, max_size=4),
    st.integers(0, 11),
    st.none() | PLACES,
    st.sampled_from([b"", leg_key("cloud-1")]),
    st.text(max_size=5),
)


def uuid(number):
    return str(UUID(int=number * 2**64 + number))


def cursor(count):
    return Cursor(
        BINDING,
        {
            leg_key(f"cloud-{number}"): Place(
                uuid(number + 1), ("2025-01-01T00:00:00Z",), -1, (uuid(number + 2), uuid(number + 3))
            )
            for number in range(count)
        },
    )


@given(CURSORS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_cursor_comes_back_as_it_was(given_cursor):
    assert decoded(given_cursor.encode(), BINDING) == given_cursor
    marker = marker_of(given_cursor)
    if not marker.kept:
        assert opened(marker.text, BINDING) == given_cursor


def test_few_clouds_need_no_store():
    marker = marker_of(cursor(6))
    assert not marker.kept
    assert len(marker.text) <= STATELESS_AT_MOST
    assert is_ours(marker.text)
    assert not is_stored(marker.text)


def test_many_clouds_are_kept_in_the_store():
    marker = marker_of(cursor(1000))
    ((key, value),) = marker.kept
    assert key == marker.text
    assert is_stored(key)
    assert len(key) < 40
    assert decoded(value, BINDING) == cursor(1000)


@pytest.mark.parametrize(
    "text",
    [
        "oidm~",
        "oidm~!!!",
        "oidm~AAAA",
        "oidm~" + base64url.encode(b"\1" + zlib.compress(b"\x90")),
        "oidm~" + base64url.encode(b"\1" + zlib.compress(b"a" * 10_000_000)),
        "oidm~" + base64url.encode(b"\1" + zlib.compress(b"abc")[:-2]),
        marker_of(cursor(2)).text[:-9],
    ],
)
def test_what_is_no_marker_of_ours_is_refused(text):
    with pytest.raises(BadRequest):
        opened(text, BINDING)


def test_another_users_marker_is_refused():
    with pytest.raises(BadRequest):
        opened(marker_of(cursor(2)).text, b"another-user")


def test_a_marker_of_a_row_is_anothers_for_another_query():
    assert alias(BINDING, "x") != alias(b"another-user", "x")
    assert alias(BINDING, "x") != alias(BINDING, "y")
    assert not is_ours(uuid(3))
