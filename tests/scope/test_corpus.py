"""The corpus: every valid text has its canonical text, every invalid one its error, word for word."""

from __future__ import annotations

import pytest

from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from oidproxy.scope.report import render
from oidproxy.scope.tag import from_segment, tag, untag
from tests.scope.corpus import Invalid, Valid, invalid, valid


def _name(entry: Valid | Invalid) -> str:
    text = entry.texts[0] if isinstance(entry, Valid) else entry.text
    return text.decode(errors="backslashreplace")[:60] or "empty"


@pytest.mark.parametrize("entry", valid(), ids=_name)
def test_a_valid_text_has_its_canonical_text(entry):
    assert [canonical(parse(text)) for text in entry.texts] == [entry.canonical] * len(entry.texts)


@pytest.mark.parametrize("entry", valid(), ids=_name)
def test_canonical_text_and_tag_parse_to_the_same_tree(entry):
    trees = {parse(text) for text in (*entry.texts, entry.canonical)}
    assert len(trees) == 1
    tree = trees.pop()
    assert untag(tag(tree)) == tree
    assert from_segment(tag(tree).encode()) == tree


@pytest.mark.parametrize("entry", invalid(), ids=_name)
def test_an_invalid_text_gets_its_error_word_for_word(entry):
    with pytest.raises(ScopeError) as caught:
        parse(entry.text)
    error = caught.value
    assert (error.line, error.column) == (entry.line, entry.column)
    assert error.message == entry.error
    assert error.suggestion == entry.suggestion
    said = [
        line.removeprefix("expected ") for line in render(error).splitlines() if line.startswith("expected ")
    ]
    assert said == ([entry.expected] if entry.expected else [])


@pytest.mark.parametrize("entry", invalid(), ids=_name)
def test_an_error_is_a_400_that_holds_its_text(entry):
    with pytest.raises(ScopeError) as caught:
        parse(entry.text)
    assert (caught.value.status, caught.value.code) == (400, "scope")
    assert caught.value.text == entry.text.decode(errors="replace")
    assert caught.value.__cause__ is None


def test_the_corpus_holds_the_forms_that_came_before():
    texts = {text for entry in valid() for text in entry.texts}
    assert b"<keystone:cloud-1;glance:cloud-999>" in texts
    assert b"{keystone:cloud-1;glance:cloud-999}" in texts
    assert b'{"compute": "InstanceOne", "image": "InstanceTwo"}' in texts
    assert b'{"compute": "CloudOne", "image": "CloudTwo & CloudThree"}' in texts


def test_no_entry_of_the_corpus_stands_there_twice():
    texts = [text for entry in valid() for text in entry.texts] + [entry.text for entry in invalid()]
    assert len(texts) == len(set(texts))
