"""What is written parses back to the same tree, whichever way it is written."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.scope.canonical import canonical
from oidproxy.scope.legacy import split
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import from_segment, tag, untag
from oidproxy.scope.url import segment
from tests.property.scopes import SCOPES, written


@settings(max_examples=150, deadline=None)
@given(SCOPES)
def test_canonical_text_parses_to_the_same_tree(scope):
    assert parse(canonical(scope)) == scope


@settings(max_examples=150, deadline=None)
@given(SCOPES)
def test_canonical_text_is_its_own_canonical_text_and_has_no_blanks_but_in_quotes(scope):
    text = canonical(scope)
    assert canonical(parse(text)) == text
    assert " " not in "".join(text.replace('\\"', "").replace("\\\\", "").split('"')[::2])


@settings(max_examples=150, deadline=None)
@given(SCOPES)
def test_every_segment_of_a_url_reads_back(scope):
    assert (
        untag(tag(scope))
        == from_segment(tag(scope).encode())
        == from_segment(segment(scope).encode())
        == scope
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_blanks_parentheses_spellings_and_order_do_not_matter(data):
    scope = data.draw(SCOPES)
    text = data.draw(written(scope))
    if len(text.encode()) <= 4096:
        assert parse(text) == scope


@settings(max_examples=100, deadline=None)
@given(SCOPES)
def test_openstackoids_token_carries_any_scope(scope):
    assert split(f"gAAAA!SCOPE!{canonical(scope)}") == ("gAAAA", scope)
