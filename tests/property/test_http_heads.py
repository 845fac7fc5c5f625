"""Heads: nothing but our own errors, and nothing lost or changed of what is accepted."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.limits import Limits
from oidproxy.errors import BadAnswer, OidproxyError
from oidproxy.http.fields import SINGLE_FIELDS
from oidproxy.http.head import RequestHead
from oidproxy.http.parse import check_unfinished, request_head, response_head
from oidproxy.http.start_line import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")
LIMITS = Limits()
STATUSES = {400, 405, 414, 417, 431, 501, 505}

SHARDS = [
    b"GET / HTTP/1.1\r\n",
    b"POST /v2 HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 204\r\n",
    b"Host: a\r\n",
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\t",
    b"Content-Length: 5\r\n",
    b"Content-Length:",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: ",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"X-Auth-Token: a\r\n",
    b"Expect: 100-continue\r\n",
    b"http://",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"CONNECT a:1 ",
    b"TRACE ",
    b"OPTIONS * ",
    b"A_B: c\r\n",
    b":",
    b",",
    b"\x00",
    b"\xff",
]
shards = st.lists(st.one_of(st.sampled_from(SHARDS), st.binary(max_size=5)), max_size=12).map(b"".join)
ends = st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b"Host: a\r\n\r\n"])
anything = st.one_of(st.binary(max_size=200), st.tuples(shards, ends).map(b"".join))

names = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=12).map(str.encode)
ordinary = names.filter(
    lambda name: (
        name.lower()
        not in SINGLE_FIELDS | {b"connection", b"upgrade", b"proxy-connection", b"http2-settings"}
    )
)
values = st.binary(max_size=20).map(lambda raw: bytes(b for b in raw if b >= 0x20 and b != 0x7F).strip())
fields = st.lists(st.tuples(ordinary, values), max_size=12)
targets = st.text(string.ascii_letters + string.digits + "-_~/:;=,@&+()!?*'$[]{}|\"", max_size=40).map(
    lambda text: b"/" + text.encode()
)


def outcome(act: Callable[[], Value]) -> Value | OidproxyError:
    """The value, or the one kind of error that may come instead."""
    try:
        return act()
    except OidproxyError as error:
        return error


def write(method: str, target: bytes, lines: list[tuple[bytes, bytes]], minor: int = 1) -> bytes:
    start = b"%b %b HTTP/1.%d\r\n" % (method.encode(), target, minor)
    return start + b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n"


@given(anything)
def test_any_bytes_are_a_request_or_one_of_our_refusals(data):
    read = outcome(lambda: request_head(data, LIMITS))
    if isinstance(read, RequestHead):
        check_accepted(read)
    else:
        assert read.status in STATUSES


@given(anything)
def test_any_bytes_are_a_beginning_or_one_of_our_refusals(data):
    refusal = outcome(lambda: check_unfinished(data, Limits(target=20, request_head=100)))
    assert refusal is None or refusal.status in {400, 414, 431}


def check_accepted(head: RequestHead) -> None:
    """What every reader behind us may rely on."""
    lower = [name.lower() for name, _ in head.fields]
    assert head.method in METHODS
    assert head.target.startswith(b"/") or (head.target == b"*" and head.method == "OPTIONS")
    assert not (b"content-length" in lower and b"transfer-encoding" in lower)
    assert not any(lower.count(name) > 1 for name in SINGLE_FIELDS)
    for name, value in head.fields:
        assert name.replace(b"-", b"").isalnum()
        assert not set(value) & {0, 10, 13}


@given(anything, st.sampled_from(["GET", "HEAD"]))
def test_any_bytes_are_an_answer_or_a_bad_answer(data, method):
    try:
        head = response_head(data, method=method, limits=LIMITS)
    except BadAnswer:
        return
    assert 100 <= head.status < 600


@given(st.sampled_from(METHODS), targets, fields, st.integers(0, 12))
def test_a_valid_head_comes_out_as_it_went_in_wherever_its_host_stands(method, target, lines, place):
    lines = [*lines[:place], (b"Host", b"a.example:1"), *lines[place:]]
    head = request_head(write(method, target, lines), LIMITS)
    assert (head.method, head.target, list(head.fields)) == (method, target, lines)
    assert head.host == b"a.example:1"
    for name, _ in lines:
        assert head.get(name.lower()) == next(
            value for other, value in lines if other.lower() == name.lower()
        )


@given(
    st.permutations(
        [(b"Host", b"a"), (b"Content-Length", b"7"), (b"Connection", b"close"), (b"Expect", b"100-continue")]
    ),
    fields,
)
def test_the_order_of_fields_changes_no_meaning(lines, more):
    one = request_head(write("PUT", b"/", [*lines, *more]), LIMITS)
    other = request_head(write("PUT", b"/", [*more, *sorted(lines)]), LIMITS)
    for head in (one, other):
        assert (head.framing, head.keep_alive, head.expects_continue) == (other.framing, False, True)


@given(anything)
def test_what_is_accepted_is_accepted_again_when_written_anew(data):
    try:
        head = request_head(data, LIMITS)
    except OidproxyError:
        return
    again = request_head(write(head.method, head.target, list(head.fields), head.minor), LIMITS)
    assert (again.fields, again.framing, again.keep_alive) == (head.fields, head.framing, head.keep_alive)
