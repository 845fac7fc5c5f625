"""YAML to plain data, and where each part of it stands."""

from __future__ import annotations

import pytest

from oidproxy.clouds.document import Place, parse
from oidproxy.errors import ConfigError


def problems(text, **options):
    return [str(problem) for problem in parse(text, file="f", **options).problems]


def test_a_scalar_is_the_text_that_was_written():
    data = parse("{region: no, id: 0012, ids: [1e3, 12:30], on: yes, day: 2020-01-01}", file="f").data
    assert data == {"region": "no", "id": "0012", "ids": ["1e3", "12:30"], "on": "yes", "day": "2020-01-01"}


def test_an_empty_scalar_is_none_and_a_quoted_one_is_not():
    assert parse("{a: , b: ~, c: null, d: '', e: 'null'}", file="f").data == {
        "a": None,
        "b": None,
        "c": None,
        "d": "",
        "e": "null",
    }


def test_an_empty_text_has_no_data():
    assert parse("# nothing\n", file="f").data is None


def test_values_and_keys_have_places():
    document = parse("a:\n  - {b: 1, c: x}\n  - [é, 'd']\n", file="f")
    assert document.place(("a", 0, "c")) == Place(2, 15)
    assert document.place(("a", 0, "c"), key=True) == Place(2, 12)
    assert document.place(("a", 1, 1)) == Place(3, 9)


def test_a_path_that_leads_nowhere_has_the_place_of_what_is_around_it():
    document = parse("a:\n  b: {c: 1}\n", file="f")
    assert document.place(("a", "b", "nothing")) == Place(2, 6)
    assert document.place(("nothing",)) == Place(1, 1)
    assert document.place(("a", "b", "c", "deeper"), key=True) == Place(2, 7)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: image:x", Place(1, 10)),
        ("a: 'image:x'", Place(1, 11)),
        ('a: "image:x"', Place(1, 11)),
        ('a: "imag\\x65:x"', Place(1, 4)),
        ("a: |\n  image:x\n", Place(1, 4)),
        ("a: >-\n  image:x\n", Place(1, 4)),
    ],
)
def test_an_offset_is_heeded_where_the_file_shows_the_text_as_it_is(text, place):
    assert parse(text, file="f").place(("a",), offset=6) == place


def test_a_key_given_twice_is_a_problem():
    assert problems("a: 1\nb: 2\na: 3\n") == ["f:3:1: 'a' is given twice; first on line 1"]


def test_anchors_and_merges_are_understood():
    text = (
        "base: &base {region: one, groups: [fr]}\nother:\n  <<: *base\n  region: two\n"
        "list: {<<: [*base, {x: y}]}"
    )
    document = parse(text, file="f")
    assert document.data["other"] == {"region": "two", "groups": ["fr"]}
    assert document.data["list"] == {"region": "one", "groups": ["fr"], "x": "y"}
    assert document.place(("other", "groups", 0)) == Place(1, 36)
    assert document.place(("other", "region")) == Place(4, 11)
    assert document.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!python/name:os.system x", "f:1:4: tags are not used here"),
        ("a: !secret x", "f:1:4: tags are not used here"),
        ("{[a]: 1}", "f:1:2: a key must be a text"),
        ("a: &a [*a]", "f:1:4: this contains itself"),
        ("a: &a {b: *a}", "f:1:4: this contains itself"),
        ("{<<: 1, a: 2}", "f:1:6: << takes a mapping or a list of mappings"),
    ],
)
def test_what_yaml_allows_and_we_do_not(text, problem):
    assert problems(text) == [problem]
    assert parse(text, file="f").place(("a", "nothing")).line == 1


def test_a_mapping_merged_into_itself_has_places_nevertheless():
    document = parse("a: &a {<<: *a, b: 1}", file="f")
    assert str(document.problems[0]) == "f:1:4: this contains itself"
    assert document.place(("a", "b")) == Place(1, 19)
    assert document.place(("a", "c")) == Place(1, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\n", "f:2:1: not YAML: did not find expected ',' or ']'"),
        ("a: 'hunter2\n", "f:2:1: not YAML: found unexpected end of stream"),
        ("a: *hunter\n", "f:1:4: not YAML: found undefined alias"),
        ("a: 1\n--- \nb: 1\n", "f:2:1: not YAML: but found another document"),
        ("a: hunter2\n\tb: 1\n", "f:2:1: not YAML: found a tab character that violates indentation"),
        ("a: \x01", "f: this is not a YAML text"),
        ("a: {b: ${env:X}}", "f:1:9: not YAML: did not find expected ',' or '}'; write ${…} in quotes"),
    ],
)
def test_an_error_of_syntax_shows_its_place_and_none_of_the_text(text, message):
    with pytest.raises(ConfigError) as caught:
        parse(text, file="f")
    assert str(caught.value) == message
    assert caught.value.__suppress_context__


def test_references_are_expanded_where_they_stand_and_every_failure_is_noted():
    def expand(text):
        if "bad" in text:
            raise ValueError("no such thing")
        return text.replace("${x}", "value")

    document = parse("a: ${x}\nb: ['${bad}', '${bad}']\nc: plain\n", file="f", expand=expand)
    assert document.data == {"a": "value", "b": ["${bad}", "${bad}"], "c": "plain"}
    assert [str(one) for one in document.problems] == ["f:2:5: no such thing", "f:2:15: no such thing"]
