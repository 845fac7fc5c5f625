"""No input of any bytes raises anything but the scope error, and every error can be shown."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import canonical
from oidproxy.scope.legacy import split
from oidproxy.scope.limits import MOST_CANONICAL
from oidproxy.scope.parse import parse
from oidproxy.scope.report import render
from oidproxy.scope.tag import from_segment, untag
from tests.scope.corpus import invalid, valid

TEXTS = [text for entry in valid() for text in entry.texts] + [entry.text for entry in invalid()]
TOKENS = [
    *'<>{}():;,+/&|%@*"\\ \t\n=-_.',
    *(
        "||",
        "else",
        "any",
        "not",
        "around",
        "nearest",
        "any(",
        "not(",
        "around(",
        "nearest(",
        "any (2,",
        "not\n(",
    ),
    *(
        "nova",
        "glance",
        "compute",
        "paris",
        "edge-*",
        "*-fr",
        "**",
        '"New York"',
        '""',
        '"*"',
        '"\\"',
        "é",
        "\x00",
    ),
    *(
        "1",
        "0",
        "02",
        "999999",
        "1000000",
        "10ms",
        "0.5us",
        "1.5s",
        "9" * 30 + "s",
        '{"',
        '":',
        '": "',
        "\\u00e9",
        "\\ud800",
    ),
]

SOUP = st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)
TAGS = st.binary(max_size=40).map(lambda data: f"x{data.hex()}")
TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@st.composite
def _mutated(draw):
    text = bytearray(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 3)))
        text[start:end] = (
            draw(st.sampled_from(TOKENS)).encode() if draw(st.booleans()) else draw(st.binary(max_size=2))
        )
    return bytes(text)


def _outcome(read, given_text):
    try:
        return read(given_text)
    except ScopeError as error:
        return error


def _check(read, given_text):
    """It reads, and its canonical text reads back; or it raises a ScopeError that points into the text."""
    outcome = _outcome(read, given_text)
    if isinstance(outcome, ScopeError):
        _check_error(outcome)
    else:
        assert parse(canonical(outcome)) == outcome
        assert len(canonical(outcome).encode()) <= MOST_CANONICAL


def _check_error(error):
    lines = error.text.split("\n")
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    assert error.message
    assert all(line.isprintable() for line in render(error).split("\n"))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
@example(b"\xed\xa0\x80")
def test_any_bytes(data):
    _check(parse, data)


@settings(max_examples=300, deadline=None)
@given(TEXT)
@example("\ud800")
@example("nova:\u2028paris")
def test_any_characters(text):
    _check(parse, text)


@settings(max_examples=600, deadline=None)
@given(SOUP)
def test_any_soup_of_the_languages_own_tokens(text):
    _check(parse, text)


@settings(max_examples=500, deadline=None)
@given(_mutated())
def test_any_damage_to_a_text(data):
    _check(parse, data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TOKENS), st.integers(1, 4200))
def test_any_token_repeated(token, count):
    _check(parse, (token * count)[:4200])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | _mutated() | SOUP.map(str.encode) | TAGS.map(str.encode))
def test_any_segment(data):
    _check(from_segment, data)


@settings(max_examples=200, deadline=None)
@given(TEXT | SOUP | TAGS)
def test_any_tag(text):
    _check(untag, text)


@settings(max_examples=150, deadline=None)
@given(TEXT | SOUP)
def test_any_token_of_openstackoids(scope):
    outcome = _outcome(split, f"gAAAA!SCOPE!{scope}")
    if isinstance(outcome, ScopeError):
        _check_error(outcome)
        assert "gAAAA" not in outcome.text
    else:
        assert outcome[0] == "gAAAA"


@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_short_text_of_marks(length):
    marks = '<{(:;,+/&|%@*"a2'
    texts = [""]
    for _ in range(length):
        texts = [text + mark for text in texts for mark in marks]
    for text in texts:
        _check(parse, text)
