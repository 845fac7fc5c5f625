"""Parts A and C of the gateway checklist, for answers: a bad one is a BadAnswer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oidproxy.errors import BadAnswer
from oidproxy.http.head import Chunked, Length, NoBody, ResponseHead, UntilClose
from oidproxy.http.parse import response_head
from tests.http.heads import LIMITS

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits


def answer_bytes(*lines: str | bytes, line: str | bytes = "HTTP/1.1 200 OK") -> bytes:
    raw = [text if isinstance(text, bytes) else text.encode("latin-1") for text in (line, *lines)]
    return b"\r\n".join(raw) + b"\r\n\r\n"


def read(
    *lines: str | bytes, line: str | bytes = "HTTP/1.1 200 OK", method: str = "GET", limits: Limits = LIMITS
) -> ResponseHead:
    return response_head(answer_bytes(*lines, line=line), method=method, limits=limits)


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 5"],
        ["Content-Length: 5", "content-length: 6"],
        ["Content-Length: 5, 5"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: +5"],
        ["Content-Length: 0x5"],
        ["Content-Length:"],
        ["Content-Length: " + "9" * 19],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked, gzip"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked, chunked"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding:"],
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a6_an_ambiguous_length_is_a_bad_answer(lines, method):
    with pytest.raises(BadAnswer) as caught:
        read(*lines, method=method)
    assert caught.value.status == 502


@pytest.mark.parametrize(
    "line",
    [
        b"A: b\r\n c",
        b"A: b\nc: d",
        b"A: b\rc: d",
        b"A : b",
        b" A: b",
        b"A: \x00",
        b"A: \x01",
        b"A",
        b": b",
        b"A\x00: b",
        b"A: \x7f",
    ],
)
def test_a6_malformed_fields_are_a_bad_answer(line):
    with pytest.raises(BadAnswer):
        read(line)


@pytest.mark.parametrize(
    "line",
    [
        "HTTP/2.0 200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/0.9 200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 600 OK",
        "HTTP/1.1  200 OK",
        "ICY 200 OK",
        "200 OK",
        "",
        "HTTP/1.1",
        "HTTP/1.1 abc OK",
        "HTTP/1.1 200 O\x00K",
        "HTTP/1.1 200 O\x01K",
        "http/1.1 200 OK",
        "\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 200\tOK",
        " HTTP/1.1 200 OK",
    ],
)
def test_a6_a_malformed_status_line_is_a_bad_answer(line):
    with pytest.raises(BadAnswer):
        read(line=line)


def test_a6_a_head_over_64_kib_is_a_bad_answer():
    assert read(*(f"A: {'b' * 16000}" for _ in range(4)))
    with pytest.raises(BadAnswer):
        read(*(f"A: {'b' * 16000}" for _ in range(5)))


def test_a6_transfer_encoding_from_http_1_0_is_a_bad_answer():
    with pytest.raises(BadAnswer):
        read("Transfer-Encoding: chunked", line="HTTP/1.0 200 OK")


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 100), ("GET", 103), ("HEAD", 404), ("PUT", 204)],
)
@pytest.mark.parametrize("length", [["Content-Length: 5"], ["Transfer-Encoding: chunked"], []])
def test_a7_no_body_whatever_the_fields_say(method, status, length):
    head = read(*length, line=f"HTTP/1.1 {status} x", method=method)
    assert head.framing == NoBody()
    assert len(head.fields) == len(length)
    assert head.keep_alive


@pytest.mark.parametrize(
    ("lines", "framing"),
    [
        (["Content-Length: 5"], Length(5)),
        (["Content-Length: 0"], Length(0)),
        (["Transfer-Encoding: Chunked"], Chunked()),
        ([], UntilClose()),
    ],
)
def test_the_framing_of_an_answer(lines, framing):
    assert read(*lines).framing == framing


@pytest.mark.parametrize(
    ("lines", "line", "kept"),
    [
        (["Content-Length: 0"], "HTTP/1.1 200 OK", True),
        (["Content-Length: 0", "Connection: keep-alive"], "HTTP/1.1 200 OK", True),
        (["Content-Length: 0", "Connection: close"], "HTTP/1.1 200 OK", False),
        (["Content-Length: 0", "Connection: keep-alive", "Connection: close"], "HTTP/1.1 200 OK", False),
        (["Content-Length: 0"], "HTTP/1.0 200 OK", False),
        (["Content-Length: 0", "Connection: Keep-Alive"], "HTTP/1.0 200 OK", True),
        ([], "HTTP/1.1 200 OK", False),
    ],
)
def test_the_persistence_of_an_answer(lines, line, kept):
    assert read(*lines, line=line).keep_alive is kept


def test_c13_informational_heads_are_told_apart():
    assert read("Link: </a>; rel=preload", line="HTTP/1.1 103 Early Hints").informational
    assert not read().informational


def test_c13_the_head_of_a_switch_of_protocols_is_read():
    head = read("Upgrade: websocket", "Connection: Upgrade", line="HTTP/1.1 101 Switching Protocols")
    assert head.status == 101


@pytest.mark.parametrize(
    ("line", "reason"),
    [("HTTP/1.1 200", b""), ("HTTP/1.1 200 ", b""), ("HTTP/1.1 200 tr\xe8s bon", b"tr\xe8s bon")],
)
def test_a_reason_may_be_missing_or_in_any_language(line, reason):
    assert read(line=line).reason == reason


def test_fields_of_answers_may_have_any_token_for_a_name():
    head = read("X-Object-Meta-a_b.c: 1", b"X-Name: caf\xc3\xa9 \t", "Set-Cookie: a", "Set-Cookie: b")
    assert head.get(b"x-object-meta-a_b.c") == b"1"
    assert head.get(b"x-name") == b"caf\xc3\xa9"
    assert [value for name, value in head.fields if name == b"Set-Cookie"] == [b"a", b"b"]


def test_no_refusal_of_an_answer_repeats_it():
    for data in (
        b"hunter2 200 OK\r\n\r\n",
        answer_bytes("X-Subject-Token: hunter2\x01"),
        answer_bytes("Content-Length: hunter2"),
    ):
        with pytest.raises(BadAnswer) as caught:
            response_head(data, method="GET", limits=LIMITS)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__context__ is None
    assert "hunter2" not in repr(read("X-Subject-Token: hunter2"))
