"""Parts A and C of the gateway checklist, for requests: fields, framing, persistence."""

from __future__ import annotations

import time

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.errors import BadRequest, ExpectationFailed, FieldsTooLarge, NotSupported, OidproxyError
from oidproxy.http.head import Chunked, Length, NoBody
from oidproxy.http.parse import check_unfinished, find_head_end, request_head
from tests.http.heads import LIMITS, head_bytes, read

POST = "POST /v2/images HTTP/1.1"


@pytest.mark.parametrize("coding", ["chunked", "gzip", "chunked;a=b"])
@pytest.mark.parametrize("first", ["length", "coding"])
def test_a1_content_length_with_transfer_encoding_is_400(coding, first):
    lines = ["Content-Length: 5", f"Transfer-Encoding: {coding}"]
    with pytest.raises(BadRequest):
        read(*(lines if first == "length" else reversed(lines)), line=POST)


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 5"],
        ["Content-Length: 5", "content-length: 6"],
        ["Content-Length: 5, 5"],
        ["Content-Length: 5,"],
        ["Content-Length: +5"],
        ["Content-Length: -5"],
        ["Content-Length: 0x5"],
        ["Content-Length: a"],
        ["Content-Length:"],
        ["Content-Length: 5 5"],
        ["Content-Length: 5.0"],
        ["Content-Length: " + "9" * 19],
        ["Content-Length: 18446744073709551615"],
        ["Content-Length: " + "9" * 40],
        ["Content-Length : 5"],
        ["Content-Length: 5\x0b"],
        ["Content-Length: \xb2"],
        ["Content-Length: 1_0"],
    ],
)
def test_a2_other_than_one_plain_content_length_is_400(lines):
    with pytest.raises(BadRequest) as caught:
        read(*lines, line=POST)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("value", "size"), [("5", 5), ("0", 0), ("007", 7), ("5 \t", 5), ("9" * 18, 10**18 - 1)]
)
def test_a2_one_plain_content_length_is_taken(value, size):
    assert read(f"Content-Length: {value}", line=POST).framing == Length(size)


@pytest.mark.parametrize(
    "coding",
    [
        "gzip, chunked",
        ",chunked",
        "chunked,",
        "xchunked",
        "chunked;a=b",
        "gzip",
        "identity",
        "chunked, gzip",
        "",
        "chunked x",
    ],
)
def test_a3_transfer_encoding_other_than_chunked_is_501(coding):
    with pytest.raises(NotSupported) as caught:
        read(f"Transfer-Encoding: {coding}", line=POST)
    assert caught.value.status == 501


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "CHUNKED"])
def test_a3_chunked_is_taken(coding):
    assert read(f"Transfer-Encoding: {coding}", line=POST).framing == Chunked()


@pytest.mark.parametrize(
    "lines",
    [
        ["Transfer-Encoding: chunked"] * 2,
        ["Transfer-Encoding: chunked, chunked"],
        ["Transfer-Encoding: gzip"] * 2,
    ],
)
def test_a3_transfer_encoding_twice_is_400(lines):
    with pytest.raises(BadRequest):
        read(*lines, line=POST)


@pytest.mark.parametrize("coding", ["chunked", "gzip"])
def test_a3_transfer_encoding_in_http_1_0_is_400(coding):
    with pytest.raises(BadRequest):
        read(f"Transfer-Encoding: {coding}", line="POST / HTTP/1.0")


@pytest.mark.parametrize(
    "line",
    [
        b"A: b\r\n c",
        b"A: b\r\n\tc",
        b" A: b",
        b"A: b\rc",
        b"A: b\nc",
        b"A: b\nX-Auth-Token: c",
        b"A: b\rX-Auth-Token: c",
        b"A: b\x00c",
        b"A: b\x01",
        b"A: \x0b",
        b"A: b\x0cc",
        b"A: b\x7f",
        b"A\x00: b",
        b"A\x01: b",
        b"A",
        b": b",
        b"A b: c",
        b"A\t: b",
        b"\x0bA: b",
        b"A:\r\n b",
    ],
)
def test_a5_folds_bare_line_ends_and_controls_are_400(line):
    with pytest.raises(BadRequest) as caught:
        read(line)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\nHost: a\n\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nA: b\n\r\n\r\n"]
)
def test_a5_lines_that_end_in_lf_are_400(data):
    with pytest.raises(BadRequest):
        request_head(data, LIMITS)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_a10_methods_that_rarely_have_a_body_may_have_one(method):
    assert read("Content-Length: 5", line=f"{method} / HTTP/1.1").framing == Length(5)
    assert read("Transfer-Encoding: chunked", line=f"{method} / HTTP/1.1").framing == Chunked()
    assert read(line=f"{method} / HTTP/1.1").framing == NoBody()


@pytest.mark.parametrize(
    "named",
    [
        "X-Auth-Token",
        "close, x-auth-token",
        "X-Subject-Token",
        "X-Service-Token",
        "Authorization",
        "X-Scope",
        "Host",
        "X-Roles",
        "X-Scope-Tokens",
        "X-Oidproxy-Anything",
        "Content-Length",
        "Cookie",
        "Via",
        "OpenStack-Identity-Access-Rules",
    ],
)
def test_c2_connection_may_not_name_what_decides_over_rights(named):
    with pytest.raises(BadRequest):
        read(f"Connection: {named}")


def test_c2_the_second_connection_field_counts_too():
    with pytest.raises(BadRequest):
        read("Connection: keep-alive", "Connection: X-Auth-Token")


@pytest.mark.parametrize(
    "named", ["keep-alive", "Keep-Alive, TE", "Upgrade, HTTP2-Settings", "x-custom", "", ",", "Keep-Alive"]
)
def test_c2_connection_may_name_anything_else(named):
    assert read(f"Connection: {named}").keep_alive


@pytest.mark.parametrize(
    "name", ["X_Auth_Token", "X.Auth.Token", "A!", "A#", "A$", "A'", "A*", "A+", "A^", "A`", "A|", "A~", "A%"]
)
def test_c3_names_beyond_letters_digits_and_dashes_are_400(name):
    with pytest.raises(BadRequest):
        read(f"{name}: x")


@pytest.mark.parametrize("name", [b"X-\xc3\xa9", b"A\x80", b"(a)", b"a@b", b"a/b"])
def test_c3_names_that_are_no_tokens_are_400(name):
    with pytest.raises(BadRequest):
        read(name + b": x")


@pytest.mark.parametrize(
    "name",
    [
        "X-Auth-Token",
        "X-Subject-Token",
        "X-Service-Token",
        "Authorization",
        "X-Scope",
        "X-Scope-Tokens",
        "Content-Type",
        "Host",
    ],
)
def test_c5_what_decides_may_stand_once_only(name):
    with pytest.raises(BadRequest):
        read(f"{name}: a", f"{name.lower()}: a")


def test_c5_other_fields_may_be_repeated():
    head = read("Accept: a", "accept: b")
    assert [value for _, value in head.fields[1:]] == [b"a", b"b"]
    assert head.get(b"accept") == b"a"


def test_c6_more_than_100_fields_are_431():
    assert len(read(*(f"A-{n}: b" for n in range(99))).fields) == 100
    with pytest.raises(FieldsTooLarge) as caught:
        read(*(f"A-{n}: b" for n in range(100)))
    assert caught.value.status == 431


def test_c6_a_field_over_16_kib_is_431():
    assert read("A: " + "b" * (16 * 1024 - 1))
    with pytest.raises(FieldsTooLarge):
        read("A: " + "b" * (16 * 1024))


def test_c6_a_head_over_64_kib_is_431():
    with pytest.raises(FieldsTooLarge):
        read(*(f"A-{n}: {'b' * 15000}" for n in range(5)))


@pytest.mark.parametrize("value", [b"caf\xe9", b"\x80\xff", "Köln".encode()])
def test_c9_bytes_above_127_in_values_pass_as_they_are(value):
    assert read(b"X-Name: " + value).get(b"x-name") == value


@pytest.mark.parametrize("value", ["200-ok", "100-continue, 100-continue", "", "100-continued"])
def test_c11_other_expectations_are_417(value):
    with pytest.raises(ExpectationFailed) as caught:
        read(f"Expect: {value}", "Content-Length: 5", line=POST)
    assert caught.value.status == 417


def test_c11_100_continue_is_known_where_there_is_a_body():
    assert read("Expect: 100-Continue", "Content-Length: 5", line=POST).expects_continue
    assert not read("Expect: 100-continue", line=POST).expects_continue
    assert not read("Content-Length: 5", line=POST).expects_continue


def test_c11_http_1_0_knows_no_expectations():
    assert not read("Expect: 100-continue", "Content-Length: 5", line="POST / HTTP/1.0").expects_continue


def test_c12_a_request_for_an_upgrade_is_an_ordinary_request():
    head = read("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 3", line=POST)
    assert head.framing == Length(3)
    assert head.get(b"upgrade") == b"h2c"


@pytest.mark.parametrize(
    ("lines", "line", "kept"),
    [
        ([], POST, True),
        (["Connection: close"], POST, False),
        (["Connection: Keep-Alive, CLOSE"], POST, False),
        (["Connection: keep-alive", "Connection: close"], POST, False),
        (["Connection: keep-alive"], POST, True),
        (["Connection: keep-alive"], "GET / HTTP/1.0", False),
        (["Connection: keep-alive, TE"], "GET / HTTP/1.0", False),
        ([], "GET / HTTP/1.0", False),
    ],
)
def test_persistence_is_http_1_1s_default_and_never_http_1_0s(lines, line, kept):
    assert read(*lines, line=line).keep_alive is kept


def test_fields_come_out_as_they_came_without_the_blanks_around_values():
    head = read("X-Auth-Token:abc", "Accept: \t a, b \t", "X-Empty:")
    assert head.fields[1:] == ((b"X-Auth-Token", b"abc"), (b"Accept", b"a, b"), (b"X-Empty", b""))
    assert head.text(b"x-auth-token") == "abc"
    assert head.get(b"x-missing") is None


def test_no_refusal_of_a_field_repeats_it():
    for line in (
        "X-Auth-Token: hunter2\x01",
        "hunter2_: x",
        "Content-Length: hunter2",
        "Expect: hunter2",
        "Host: hunter2@a",
    ):
        with pytest.raises(OidproxyError) as caught:
            read(line)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__context__ is None


def test_the_repr_of_a_head_shows_no_token():
    assert "hunter2" not in repr(read("X-Auth-Token: hunter2"))


def test_the_end_of_a_head_is_found_in_any_buffer():
    data = head_bytes()
    assert find_head_end(data + b"rest", 0) == len(data)
    assert find_head_end(bytearray(data), len(data) - 4) == len(data)
    assert find_head_end(data[:-1], 0) == -1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /" + b"x" * 9000, 414),
        (b"\r\nGET /" + b"x" * 9000, 414),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 65536, 431),
    ],
)
def test_a_beginning_that_can_never_end_well_is_refused_at_once(data, status):
    with pytest.raises(OidproxyError) as caught:
        check_unfinished(bytearray(data), LIMITS)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"G",
        b"\r",
        b"\r\n",
        b"GET / HTTP/1.1\r",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"GET /" + b"x" * 8000,
    ],
)
def test_a_beginning_that_may_end_well_is_waited_for(data):
    check_unfinished(data, LIMITS)


def test_limits_are_the_configured_ones():
    for limits in (Limits(fields=1), Limits(field=10), Limits(request_head=60)):
        with pytest.raises(FieldsTooLarge):
            request_head(head_bytes("Accept: */*"), limits)


@pytest.mark.parametrize("cut", range(17, 24))
def test_a_bare_line_feed_is_found_wherever_the_last_look_ended(cut):
    good, bad = b"GET / HTTP/1.1\r\nHost: p\r\nA: b", b"GET / HTTP/1.1\r\nHost:\np\r\nA: b"
    check_unfinished(good, LIMITS, max(0, cut - 3))
    with pytest.raises(BadRequest):
        check_unfinished(bad, LIMITS, max(0, cut - 3))


def test_a_head_that_comes_byte_by_byte_costs_no_more_than_its_length():
    head = bytearray(b"GET / HTTP/1.1\r\nHost: p\r\n")
    began = time.process_time()
    for _ in range(60_000):
        start = max(0, len(head) - 3)
        head += b"a"
        check_unfinished(head, LIMITS, start)
    assert time.process_time() - began < 3.0
