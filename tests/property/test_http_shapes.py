"""A head that is put together from one like it is judged as if llhttp had read all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.limits import Limits
from oidproxy.errors import OidproxyError
from oidproxy.http import parse
from oidproxy.http.parse import request_head, response_head
from oidproxy.http.shapes import OF_ANSWERS, OF_REQUESTS, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.http.head import RequestHead, ResponseHead

LIMITS = Limits(field=300, fields=7)

REQUEST_LINES = (
    *(
        b"%b / HTTP/1.1" % method
        for method in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"COPY")
    ),
    b"OPTIONS * HTTP/1.1",
    b"GET /v2/images?limit=1 HTTP/1.0",
    b"GET http://a:1/b HTTP/1.1",
    b"GET HTTPS://[::1] HTTP/1.1",
    b"GET * HTTP/1.1",
    b"GET a HTTP/1.1",
    b'GET /"<>^{|}`\\ HTTP/1.1',
    b"OPTIONS http://a?b HTTP/1.1",
)
STATUS_LINES = (
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200",
    b"HTTP/1.1 204 ",
    b"HTTP/1.0 304 \xff\tx",
    b"HTTP/1.1 101 S",
    b"HTTP/1.1 599 !",
)
LINES = (
    b"Host: a",
    b"X-Scope:  image:cloud-1 \t",
    b"Empty:",
    b"Empty: \t",
    b"X: \xff\x80",
    b"X: a\x7f",
    b"X: a\x00",
    b"X: a\x0bb",
    b"X: \x0ba\x0c",
    b"X : a",
    b" X: a",
    b"\tfolded",
    b"X_Y: a",
    b"!#$%&'*+.^|~: a",
    b": a",
    b"X",
    b"",
    b"X: a\rb",
    b"X: a\nb",
    b"X: a\r",
    b"X: a\n",
    b"Content-Length: 5",
    b"Content-Length: 05",
    b"Content-Length: 5 6",
    b"Content-Length: +5",
    b"Content-Length: 5,5",
    b"Content-Length:",
    b"Content-Length: 999999999999999999",
    b"Content-Length: 99999999999999999999",
    b"content-length: 6",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, gzip",
    b"Transfer-Encoding:",
    b"Transfer_Encoding: chunked",
    b"Connection: close",
    b"Connection: upgrade",
    b"Connection: keep-alive, Upgrade",
    b"Upgrade: h2c",
    b"Upgrade: websocket",
    b"Proxy-Connection: keep-alive",
    b"Expect: 100-continue",
    b"X-Auth-Token: %",
    b"X-Auth-Token:  %",
    b"x-auth-token: %",
    b"X-Openstack-Request-Id: %",
    b"x-openstack-request-id: %",
    b"Date: %",
    b"Content-Length: %",
    b"x-compute-request-id: %",
    b"Cookie: %",
    b"X-Scope: %",
)
values = st.one_of(
    st.sampled_from(
        [b"", b"a", b" ", b"a b", b"5", b"07", b"+5", b"5 ", b"9" * 18, b"9" * 19, b"a\tb", b"\x80"]
    ),
    st.sampled_from(
        [b"a\r\nHost: b", b"a\r\nX-Auth-Token: b", b"a\r\n", b"a\nb", b"\0", b"chunked", b"t" * 400]
    ),
    st.binary(max_size=4),
)

lines = st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=8)), max_size=8)
ends = st.sampled_from([b"\r\n\r\n"] * 5 + [b"", b"\r\n", b"\r\n\r\nbody", b"\r\n\r\n\r\n"])


def head(first: bytes, rest: list[bytes], value: bytes, end: bytes) -> bytes:
    """A head in which this value stands for `%`, wherever that is."""
    return b"\r\n".join([first, *rest]).replace(b"%", value) + end


def outcome(act: Callable[[], RequestHead | ResponseHead]) -> object:
    """The head, or what is said of its refusal."""
    try:
        return act()
    except OidproxyError as error:
        return type(error), error.status, error.message


def afresh(act: Callable[[], RequestHead | ResponseHead]) -> object:
    """The same where nothing is remembered."""
    requests, answers = Shapes(OF_REQUESTS), Shapes(OF_ANSWERS)
    with patch.object(parse, "_requests", requests), patch.object(parse, "_answers", answers):
        return outcome(act)


@given(st.sampled_from(REQUEST_LINES), st.sampled_from(REQUEST_LINES), lines, values, values, ends)
def test_a_request_like_an_earlier_one_is_judged_by_itself(first, second, rest, one, other, end):
    earlier, later = (head(line, rest, value, end) for line, value in ((first, one), (second, other)))
    for data in (earlier, later, earlier):
        assert outcome(lambda data=data: request_head(data, LIMITS)) == afresh(
            lambda data=data: request_head(data, LIMITS)
        )


@given(st.sampled_from(STATUS_LINES), lines, values, values, ends, st.sampled_from(["GET", "HEAD"]))
def test_an_answer_like_an_earlier_one_is_judged_by_itself(first, rest, one, other, end, method):
    earlier, later = (head(first, rest, value, end) for value in (one, other))
    for data, asked in ((earlier, "GET"), (later, method), (earlier, method)):
        assert outcome(
            lambda data=data, asked=asked: response_head(data, method=asked, limits=LIMITS)
        ) == afresh(lambda data=data, asked=asked: response_head(data, method=asked, limits=LIMITS))
