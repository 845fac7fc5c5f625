"""The chunked coding: rule A4 of the gateway checklist."""

from __future__ import annotations

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.errors import BadAnswer, BadRequest
from oidproxy.http.chunked import LAST, Decoder, encode
from tests.http.heads import LIMITS


def decode(data: bytes, limits: Limits = LIMITS) -> Decoder:
    decoder = Decoder(limits)
    decoder.feed(data)
    return decoder


def test_a_body_in_chunks():
    decoder = Decoder(LIMITS)
    assert decoder.feed(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n") == [b"hello", b" world"]
    assert decoder.done
    assert decoder.rest == b""


def test_what_encode_writes_is_read_back():
    decoder = Decoder(LIMITS)
    assert decoder.feed(encode(b"x" * 1000) + encode(b"") + encode(b"y") + LAST) == [b"x" * 1000, b"y"]
    assert decoder.done


def test_data_inside_a_chunk_is_not_copied():
    decoder = Decoder(LIMITS)
    decoder.feed(b"100000\r\n")
    data = b"x" * 1000
    (piece,) = decoder.feed(data)
    assert piece is data


def test_bytes_behind_the_last_chunk_are_left_for_the_next_request():
    decoder = decode(b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n")
    assert decoder.rest == b"GET / HTTP/1.1\r\n"
    assert decoder.feed(b"more") == []
    assert decoder.rest == b"GET / HTTP/1.1\r\nmore"


@pytest.mark.parametrize(
    "data",
    [
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"\r\n",
        b"5_0\r\n",
        b"g\r\n",
        b"5\nhello\n0\n\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\r\n",
        b"5\rhello",
        b";a=b\r\n",
        b"00000000000000005\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"\xd9\xa5\r\n",
        b"5\t\r\nhello\r\n",
    ],
)
def test_a4_sizes_are_hexadecimal_digits_and_lines_end_in_crlf(data):
    with pytest.raises(BadRequest) as caught:
        decode(data + b"0\r\n\r\n")
    assert caught.value.status == 400


def test_a4_sixteen_digits_are_taken():
    assert Decoder(LIMITS).feed(b"0000000000000005\r\nhello\r\n") == [b"hello"]
    assert Decoder(LIMITS).feed(b"ffffffffffffffff\r\nhello\r\n") == [b"hello\r\n"]


@pytest.mark.parametrize("extension", [b";a", b";a=b", b'; a="b c"', b" ;a", b";", b";\xe9"])
def test_a4_extensions_are_dropped(extension):
    assert Decoder(LIMITS).feed(b"5" + extension + b"\r\nhello\r\n0\r\n\r\n") == [b"hello"]


@pytest.mark.parametrize("extension", [b";a\nb", b";a\rb", b";a\x00b", b";a\x7f", b"z", b" a"])
def test_a4_extensions_hold_no_controls(extension):
    with pytest.raises(BadRequest):
        decode(b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")


def test_a4_extensions_are_counted_over_the_whole_body():
    chunk = b"1;" + b"x" * 1023 + b"\r\nx\r\n"
    decoder = decode(chunk * 4 + LAST)
    assert decoder.done
    with pytest.raises(BadRequest):
        decode(chunk * 4 + b"1;\r\nx\r\n")


def test_a4_an_endless_size_line_is_refused_before_it_ends():
    decoder = Decoder(LIMITS)
    with pytest.raises(BadRequest):
        for _ in range(6):
            decoder.feed(b"1;" + b"x" * 1000)


def test_a4_trailers_are_dropped():
    decoder = decode(b"0\r\nX-Checksum: abc\r\nX-Auth-Token: stolen\r\n\r\nrest")
    assert decoder.done
    assert decoder.rest == b"rest"


@pytest.mark.parametrize(
    "trailer", [b"no colon", b" folded: x", b"a b: c", b"a: \x00", b"a: b\nc: d", b": x", b"a : b"]
)
def test_a4_malformed_trailers_are_400(trailer):
    with pytest.raises(BadRequest):
        decode(b"0\r\n" + trailer + b"\r\n\r\n")


def test_a4_trailers_over_8_kib_are_400():
    line = b"a: " + b"x" * (1024 - 5) + b"\r\n"
    assert decode(b"0\r\n" + line * 8 + b"\r\n").done
    with pytest.raises(BadRequest):
        decode(b"0\r\n" + line * 8 + b"a:\r\n\r\n")
    with pytest.raises(BadRequest):
        decode(b"0\r\n" + b"a: " + b"x" * 9000)


def test_a6_bad_chunks_of_an_answer_are_a_bad_answer():
    with pytest.raises(BadAnswer):
        Decoder(LIMITS, BadAnswer).feed(b"zz\r\n")


def test_limits_are_the_configured_ones():
    limits = Limits(chunk_extensions=3, trailers=8)
    assert decode(b"1;ab\r\nx\r\n0\r\na: bcd\r\n\r\n", limits).done
    for data in (b"1;abc\r\n", b"0\r\na: bcde\r\n"):
        with pytest.raises(BadRequest):
            decode(data, limits)
