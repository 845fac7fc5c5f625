"""Bodies are found by their framing, and what is behind them is left."""

from __future__ import annotations

import pytest

from oidproxy.errors import BadAnswer
from oidproxy.http.body import body_reader
from oidproxy.http.head import Chunked, Length, NoBody, UntilClose
from tests.http.heads import LIMITS


def test_a_length_counts_bytes_over_all_pieces():
    reader = body_reader(Length(10), LIMITS)
    assert reader.feed(b"12345") == ([b"12345"], False, b"")
    assert not reader.ends_with_stream()
    assert reader.feed(b"67890next") == ([b"67890"], True, b"next")
    assert reader.done
    assert reader.ends_with_stream()


def test_a_length_that_one_piece_fills_is_not_copied():
    data = b"0123456789"
    fed = body_reader(Length(10), LIMITS).feed(data)
    assert fed.pieces[0] is data
    assert fed.done


@pytest.mark.parametrize("framing", [Length(0), NoBody()])
def test_no_body_is_done_before_any_byte(framing):
    assert body_reader(framing, LIMITS).done


def test_chunks_end_with_the_last_one():
    reader = body_reader(Chunked(), LIMITS)
    assert reader.feed(b"5\r\nhel") == ([b"hel"], False, b"")
    assert not reader.ends_with_stream()
    assert reader.feed(b"lo\r\n0\r\n\r\nnext") == ([b"lo"], True, b"next")
    assert reader.done


def test_bad_chunks_raise_what_was_asked_for():
    with pytest.raises(BadAnswer):
        body_reader(Chunked(), LIMITS, BadAnswer).feed(b"x\r\n")


def test_until_close_ends_with_the_stream_alone():
    reader = body_reader(UntilClose(), LIMITS)
    assert reader.feed(b"anything") == ([b"anything"], False, b"")
    assert not reader.done
    assert reader.ends_with_stream()
    assert reader.done
