"""What people see of an error."""

from __future__ import annotations

import pytest

from oidproxy.errors import ScopeError
from oidproxy.scope.parse import parse
from oidproxy.scope.position import line_and_column, offset_of
from oidproxy.scope.report import render


def _rendered(text: str | bytes) -> str:
    with pytest.raises(ScopeError) as caught:
        parse(text)
    return render(caught.value)


def test_the_line_the_caret_what_was_expected_and_what_was_meant():
    assert _rendered("glance:paris;\nnova:arround(paris, 10ms)") == (
        'line 2, column 6: "arround" is not a function\n'
        "  nova:arround(paris, 10ms)\n"
        "       ^\n"
        'expected "around(", "nearest(", "any(" or "not("\n'
        "did you mean: around"
    )


def test_an_error_without_a_text_is_its_message():
    assert (
        render(ScopeError("there is no cloud-2", suggestion="cloud-1"))
        == "there is no cloud-2\ndid you mean: cloud-1"
    )


def test_of_a_long_line_only_what_is_around_the_caret_is_shown():
    first, line, caret, *_ = _rendered("nova:" + "a|" * 300 + ")" + "|b" * 300).splitlines()
    assert first.startswith("line 1, column 606: ")
    assert len(line) == 2 + 1 + 72 + 1
    assert line[2] == line[-1] == "…"
    assert line[caret.index("^")] == ")"


def test_the_caret_stands_under_the_column_behind_wide_characters_too():
    # Two columns each: the caret is under the "&" that nothing follows.
    _, line, caret, *_ = _rendered('nova:"北京"&').splitlines()
    assert (line, caret) == ('  nova:"北京"&', "              ^")
    assert caret.index("^") == len('  nova:"北京"&') + 2


def test_combining_characters_take_no_column():
    _, _, caret, *_ = _rendered('"e\u0301"&').splitlines()
    assert caret == "      ^"


def test_a_tab_is_one_column():
    assert _rendered("nova:\ta&\t)").splitlines()[1:3] == ["  nova: a& )", "           ^"]


@pytest.mark.parametrize(
    "raw", [b'nova:"\x1b[2J"', b"nova:\x07a", b"nova:\xff", b"nova:\xe2\x80\xaea", b"a\r\x00"]
)
def test_nothing_reaches_the_terminal_that_it_would_act_upon(raw):
    lines = _rendered(raw).split("\n")
    assert all(line.isprintable() for line in lines)


def test_a_message_and_a_suggestion_are_made_printable_too():
    assert render(ScopeError("a\x1bb", suggestion="c\nd")) == "a\ufffdb\ndid you mean: c d"


@pytest.mark.parametrize("text", ["", "a", "ab\n", "\n\nx", "a\r\nb", "一\n二"])
def test_positions_and_offsets_are_each_others_inverse(text):
    for offset in range(len(text) + 1):
        assert offset_of(text, *line_and_column(text, offset)) == offset
