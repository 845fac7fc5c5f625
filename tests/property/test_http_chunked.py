"""The streaming chunk decoder means the same as one that sees everything at once, however bytes arrive."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from oidproxy.clouds.limits import Limits
from oidproxy.errors import BadRequest
from oidproxy.http.chunked import LAST, Decoder, encode

LIMITS = Limits(chunk_extensions=12, trailers=24)


@dataclass(frozen=True)
class Outcome:
    """What became of a whole stream."""

    body: bytes = b""
    rest: bytes | None = None
    """None: not complete."""
    refused: bool = False


def reference(data: bytes) -> Outcome:
    """RFC 9112 section 7.1 read literally, over the whole of the bytes."""
    body, extensions, trailers = b"", 0, 0
    while True:
        line, found, data = data.partition(b"\r\n")
        if not found:
            return Outcome(body)
        match = re.fullmatch(rb"([0-9a-fA-F]{1,16})([ \t]*;[\t\x20-\x7e\x80-\xff]*|)", line)
        extensions += len(match[2]) if match else 0
        if not match or extensions > LIMITS.chunk_extensions:
            return Outcome(refused=True)
        size = int(match[1], 16)
        if size == 0:
            break
        body += data[:size]
        if len(data) < size + 2 and b"\r\n".startswith(data[size:]):
            return Outcome(body)
        if data[size : size + 2] != b"\r\n":
            return Outcome(refused=True)
        data = data[size + 2 :]
    while True:
        line, found, data = data.partition(b"\r\n")
        if not found:
            return Outcome(body)
        if not line:
            return Outcome(body, data)
        trailers += len(line) + 2
        if trailers > LIMITS.trailers or not re.fullmatch(
            rb"[\w!#$%&'*+.^`|~-]+:[\t\x20-\x7e\x80-\xff]*", line
        ):
            return Outcome(refused=True)


def streamed(data: bytes, cuts: list[int]) -> Outcome:
    decoder, body, start = Decoder(LIMITS), b"", 0
    try:
        for end in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
            body += b"".join(decoder.feed(data[start:end]))
            start = end
    except BadRequest:
        return Outcome(refused=True)
    return Outcome(body, decoder.rest if decoder.done else None)


sizes = st.integers(0, 20).map(lambda size: b"%x" % size)
pieces = st.one_of(
    st.binary(max_size=20).map(encode),
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b"0", b"5", b";", b";a=b", b" ;", b"a: b\r\n", b"x", LAST, b"0\r\n", b"00000"]
    ),
    sizes,
    st.binary(max_size=4),
)
streams = st.lists(pieces, max_size=12).map(b"".join)
cuts = st.lists(st.integers(0, 200), max_size=12)


@given(streams, cuts)
@example(b"5;" + b"x" * 12 + b"\r\nhello\r\n0\r\n\r\n", list(range(40)))
@example(b"1;aaaaa\r\nx\r\n1;aaaaa\r\ny\r\n0\r\na: " + b"b" * 19 + b"\r\n\r\nrest", [])
def test_any_stream_in_any_pieces_means_what_it_means_whole(stream, cut):
    whole, in_pieces = streamed(stream, []), streamed(stream, cut)
    assert in_pieces == whole
    expected = reference(stream)
    # A line that nothing could make right any more is refused early; the reference waits for its end.
    if not (whole.refused and expected.rest is None):
        assert whole == expected


@given(streams, streams)
def test_what_is_refused_early_could_not_have_ended_well(stream, more):
    if streamed(stream, []).refused:
        assert reference(stream + more).rest is None


@given(st.lists(st.binary(max_size=50)), cuts, st.binary(max_size=20))
def test_what_is_encoded_is_decoded(bodies, cut, behind):
    stream = b"".join(map(encode, bodies)) + LAST + behind
    assert streamed(stream, cut) == Outcome(b"".join(bodies), behind)
