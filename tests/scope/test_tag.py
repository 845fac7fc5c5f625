"""Tags and URL segments: safe in every client's hands, and read back to the same scope."""

from __future__ import annotations

import re

import pytest

from oidproxy.errors import ScopeError
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import from_segment, is_tag, tag, untag
from oidproxy.scope.tree import NO_SCOPE
from tests.scope.corpus import valid


@pytest.mark.parametrize("entry", valid(), ids=lambda entry: entry.canonical[:60])
def test_a_tag_holds_an_x_and_hexadecimal_digits_only(entry):
    # Nothing for str.format and %, no "v2" for gophercloud and cinderclient, nothing to percent-encode.
    assert re.fullmatch(r"x[0-9a-f]+", tag(parse(entry.canonical)))


def test_a_tag_is_the_canonical_text_in_hexadecimal():
    assert (
        tag(parse("<keystone:cloud-1;glance:cloud-999>")) == f"x{b'identity:cloud-1;image:cloud-999'.hex()}"
    )


@pytest.mark.parametrize(
    "text", ["x", "", "x6", "x6G", "xAB", "y6161", "x61 ", "x61\n", "X61", "61", "xé0", "x\u0661\u0661"]
)
def test_what_is_no_tag_is_refused(text):
    assert not is_tag(text)
    with pytest.raises(ScopeError, match="a tag is an x and pairs"):
        untag(text)


def test_a_scope_that_binds_nothing_has_no_tag():
    with pytest.raises(ScopeError, match="has no tag"):
        tag(NO_SCOPE)


def test_a_scope_too_long_to_be_read_back_has_no_tag():
    with pytest.raises(ScopeError, match="at most 1024"):
        tag(parse("nova:" + "a" * 600).over(parse("glance:" + "b" * 600)))


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        (b"keystone:cloud-1;glance:cloud-999", "keystone:cloud-1;glance:cloud-999"),
        (b"paris%2FRegionOne%7Crennes", "paris/RegionOne|rennes"),
        (b"paris%2fRegionOne", "paris/RegionOne"),
        (b"a%25b", "a%b"),
        (b"nova+placement:paris", "nova+placement:paris"),
        (b"%22New%20York%22", '"New York"'),
        (b"%22M%C3%BCnchen%22", '"München"'),
        (b"%22%252F%22", '"%2F"'),
        (b"%7B%22compute%22:%20%22paris%22%7D", '{"compute": "paris"}'),
        (b"%3Cparis%3E", "paris"),
        (b"x7061726973", "paris"),
        (b"%787061726973", "paris"),
        (b"(xab)", '"xab"'),
        (b"*:xab", '"xab"'),
    ],
)
def test_a_segment_is_decoded_once(segment, text):
    assert from_segment(segment) == parse(text)


def test_a_segment_is_read_once():
    assert from_segment(b"nova:segment%2Fonce") is from_segment(bytes(bytearray(b"nova:segment%2Fonce")))


@pytest.mark.parametrize(("segment", "column"), [(b"a%b", 2), (b"nova:a%", 7), (b"a%2", 2), (b"a%25b%zz", 6)])
def test_an_escape_that_is_none_is_refused(segment, column):
    with pytest.raises(ScopeError) as caught:
        from_segment(segment)
    assert (caught.value.message, caught.value.column) == (
        'a "%" of the scope is written %25 in a URL',
        column,
    )


def test_a_name_that_looks_like_a_tag_is_one_and_the_error_says_how_to_write_it():
    with pytest.raises(ScopeError) as caught:
        from_segment(b"xab")
    assert caught.value.message == (
        "the byte 0xAB is not UTF-8 (in a URL, xab is a tag; a cloud of this name is written (xab))"
    )


@pytest.mark.parametrize(
    "segment", [b"", b"%", b"%00", b"\xff", b"%FF", b"x00", b"x" + b"61" * 5000, b"a" * 9000]
)
def test_a_segment_that_is_no_scope_is_a_scope_error(segment):
    with pytest.raises(ScopeError):
        from_segment(segment)
