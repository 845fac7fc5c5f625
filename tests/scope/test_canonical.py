"""Canonical text: what the parser cannot show, since it only ever builds normal trees."""

from __future__ import annotations

import pytest

from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import (
    bounded_canonical,
    canonical,
    canonical_expr,
    offsets_of,
    written_duration,
    written_name,
)
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE, Binding, CloudName, Scope


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "0s"),
        (1, "1us"),
        (999, "999us"),
        (1000, "1ms"),
        (1500, "1500us"),
        (20_000, "20ms"),
        (1_000_000, "1s"),
        (1_500_000, "1500ms"),
        (90_000_000, "90s"),
    ],
)
def test_a_duration_is_in_the_largest_unit_that_leaves_an_integer(microseconds, text):
    assert written_duration(microseconds) == text


@pytest.mark.parametrize("name", ["a", "1", "cloud-1", "a.b_c", "any", "else", "x61"])
def test_a_name_stays_bare(name):
    assert written_name(name) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", '""'),
        ("-", '"-"'),
        ("a-", '"a-"'),
        ("edge-*", '"edge-*"'),
        ("New York", '"New York"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("é", '"é"'),
    ],
)
def test_what_is_no_name_is_quoted(name, text):
    assert written_name(name) == text


def test_a_scope_that_binds_nothing_has_an_empty_text():
    assert canonical(NO_SCOPE) == ""


def test_the_text_is_kept_and_changes_nothing_else():
    one, other = parse("nova:a"), Scope((Binding("compute", CloudName("a")),))
    assert canonical(one) is canonical(one)
    assert (one, hash(one), repr(one)) == (other, hash(other), repr(other))


def test_one_expression_has_a_text_of_its_own():
    (binding,) = parse("(a|b)&c").bindings
    assert canonical_expr(binding.expr) == "(a|b)&c"


def test_scopes_that_were_merged_are_bounded_too():
    merged = parse("nova:" + "a" * 600).over(parse("glance:" + "b" * 600))
    with pytest.raises(ScopeError, match="takes 1215 bytes"):
        bounded_canonical(merged)


@pytest.mark.parametrize("text", ["paris", 'nova+glance:paris|"New York";"x y":@fr', "*:a;cinder:any(1,b&c)"])
def test_every_binding_is_found_in_the_text(text):
    scope = parse(text)
    whole = canonical(scope)
    for binding in scope.bindings:
        start, clouds = offsets_of(scope, binding.service)
        assert whole[start:clouds].strip('":') == binding.service
        assert whole[clouds:].startswith(canonical_expr(binding.expr))
        assert start == 0 or whole[start - 1] == ";"
    with pytest.raises(KeyError):
        offsets_of(scope, "dns")
