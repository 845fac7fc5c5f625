"""Trees: what each form of the language becomes, and what is refused before it is parsed."""

from __future__ import annotations

import pytest

from oidproxy.errors import ScopeError
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import (
    AllClouds,
    AllOf,
    AnyOf,
    Around,
    Binding,
    CloudGlob,
    CloudName,
    Cross,
    FirstOf,
    Group,
    Nearest,
    Not,
    Place,
    Scope,
)

A, B, C = CloudName("a"), CloudName("b"), CloudName("c")


def _expr(text: str):
    (binding,) = parse(text).bindings
    assert binding.service == "*"
    return binding.expr


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("a", A),
        ("a/b", CloudName("a", "b")),
        ('"New York"/"Region One"', CloudName("New York", "Region One")),
        ('"edge-*"', CloudName("edge-*")),
        ('"a\\"b\\\\"', CloudName('a"b\\')),
        ("edge-*", CloudGlob("edge-*")),
        ("*", AllClouds()),
        ("@fr", Group("fr")),
        ("around(a,1.5ms)", Around(Place("a"), 1500)),
        ("around(a/b,20us)", Around(Place("a", "b"), 20)),
        ("around(a,2s)", Around(Place("a"), 2_000_000)),
        ("nearest(a)", Nearest(A, 1)),
        ("nearest(a|b,3)", Nearest(FirstOf((A, B)), 3)),
        ("any(2,a&b)", AnyOf(2, AllOf((A, B)))),
        ("not(a)", Not(A)),
        ("a|b else c||a", FirstOf((A, B, C, A))),
        ("a&b&c", AllOf((A, B, C))),
        ("a%b%c", Cross((A, B, C))),
        ("a|b&c%a", FirstOf((A, AllOf((B, Cross((C, A))))))),
        ("(a|b)&c", AllOf((FirstOf((A, B)), C))),
        ("a|(b|(c|a))", FirstOf((A, B, C, A))),
        ("a&(b&not(c))", AllOf((A, AllOf((B, Not(C)))))),
        ("not(a)&(b&c)", AllOf((Not(A), B, C))),
    ],
)
def test_an_expression_has_its_tree(text, expr):
    assert _expr(text) == expr


def test_services_are_folded_and_sorted_with_the_star_first():
    assert parse("zun:a;nova+Glance:b;*:c;mine:a") == Scope(
        (
            Binding("*", C),
            Binding("application-container", A),
            Binding("compute", B),
            Binding("image", B),
            Binding("mine", A),
        )
    )


def test_a_quoted_name_that_sorts_before_the_star_still_comes_after_it():
    assert [binding.service for binding in parse('"!":a;*:b').bindings] == ["*", "!"]


def test_the_names_of_a_tree_are_plain_strings():
    (binding,) = parse('nova:a/"b c"').bindings
    assert isinstance(binding.expr, CloudName)
    assert {type(binding.service), type(binding.expr.name), type(binding.expr.region)} == {str}


def test_text_and_its_bytes_are_the_same_scope():
    assert parse('nova:"Zürich"') is parse('nova:"Zürich"'.encode())


def test_what_was_read_before_is_not_read_again():
    text = b"nova:read-once|read-twice"
    assert parse(text) is parse(bytes(bytearray(text)))


@pytest.mark.parametrize("text", ["nova:\ud800", 'nova:"\udc80"', "\udfff"])
def test_a_lone_surrogate_is_not_utf8(text):
    with pytest.raises(ScopeError, match="is not UTF-8"):
        parse(text)


def test_4096_bytes_are_read_and_4097_are_not():
    assert parse("a" + " " * 4095) == parse("a")
    with pytest.raises(ScopeError) as caught:
        parse("a" + " " * 4096)
    assert caught.value.message == "the scope is 4097 bytes long, at most 4096 are allowed"
    assert caught.value.text == ""


def test_the_limit_counts_bytes_not_characters():
    with pytest.raises(ScopeError, match="4098 bytes long"):
        parse('"' + "é" * 2048 + '"')


def test_canonical_text_ends_at_1024_bytes():
    assert parse("nova:" + "a" * 1016)
    with pytest.raises(ScopeError) as caught:
        parse("nova:" + "a" * 1017)
    assert caught.value.message == (
        "the scope takes 1025 bytes in its canonical form, at most 1024 are allowed; a group makes it shorter"
    )


def test_what_a_text_spreads_over_services_counts_for_each():
    with pytest.raises(ScopeError, match="takes 1211 bytes"):
        parse("nova+glance:" + "a" * 598)


def test_sixteen_parentheses_are_read_and_seventeen_are_not():
    assert parse("(" * 16 + "a" + ")" * 16) == parse("a")
    with pytest.raises(ScopeError, match="deeper than 16"):
        parse("(" * 17 + "a" + ")" * 17)


def test_parentheses_in_quotes_are_not_counted():
    assert _expr('"' + "(" * 40 + '"') == CloudName("(" * 40)


def test_parentheses_side_by_side_are_not_nested():
    assert parse("|".join(["(a)"] * 60)) == parse("|".join(["a"] * 60))


@pytest.mark.parametrize(
    "text",
    [
        "any(" + "9" * 4000 + ",a)",
        "nearest(a," + "1" * 4000 + ")",
        "around(a," + "9" * 4000 + "s)",
        "around(a,1." + "1" * 4000 + "s)",
        "(" * 4096,
        "{" * 4096,
        '{"a":' * 800,
        '{"a":"' + "(" * 4000 + '"}',
        "not(" * 1024,
        '"' * 4096,
        "[" * 4096,
    ],
)
def test_what_is_huge_is_refused_and_nothing_worse(text):
    with pytest.raises(ScopeError):
        parse(text)


def test_zeros_behind_a_duration_do_not_make_it_finer():
    assert _expr("around(a,1." + "0" * 4000 + "us)") == Around(Place("a"), 1)
    assert _expr("around(a," + "0" * 4000 + "1us)") == Around(Place("a"), 1)
