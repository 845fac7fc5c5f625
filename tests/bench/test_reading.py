"""Where an answer ends."""

from __future__ import annotations

import pytest

from tests.bench.reading import Wrong, body_of

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [(PLAIN, b"abc"), (PLAIN.replace(b"Content-L", b"content-l"), b"abc"), (CHUNKED, b"abcde")],
)
def test_an_answer_is_whole_with_its_last_byte_and_not_before(answer, body):
    assert body_of(answer) == body
    assert [body_of(answer[:size]) for size in range(len(answer))] == [None] * len(answer)


def test_bytes_that_only_look_like_the_last_chunk_end_nothing():
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nab0\r\n\r\n"
    assert body_of(answer) is None
    assert body_of(answer + b"\r\n0\r\n\r\n") == b"ab0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN.replace(b"200 OK", b"503 No"),
        PLAIN + b"H",
        b"HTTP/1.1 200 OK\r\n\r\nabc",
    ],
)
def test_what_does_not_count_is_told(answer):
    with pytest.raises(Wrong):
        body_of(answer)
