"""A head that a stencil matches is written from it as the whole way writes it, whatever its values are."""

from __future__ import annotations

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from oidproxy.clouds.limits import Limits
from oidproxy.errors import OidproxyError
from oidproxy.http.parse import request_head, response_head
from oidproxy.rewrite.answer import answer
from oidproxy.rewrite.request import request_head as written
from oidproxy.rewrite.stencil import (
    answer_shape,
    answer_stencil,
    may_differ,
    request_shape,
    request_stencil,
)
from tests.rewrite.world import route

IMAGES = route("image", b"/v2/images/1")
LIMITS = Limits()
ID = "req-11111111-2222-4333-8444-555555555555"
PASSING = ("Accept", "Traceparent", "X-Roundtrip", "Cache-Control", "If-None-Match", "DNT", "Pragma")
OTHERS = (
    "X-Scope",
    "X-Openstack-Request-Id",
    "X-Service-Token",
    "Range",
    "Cookie",
    "X-Forwarded-For",
    "Via",
    "Upgrade",
)

values = st.one_of(
    st.from_regex(r"\A[!-~]{1,12}\Z"), st.from_regex(r"\A[ -~]{0,12}\Z"), st.just("é"), st.just(ID)
)
tokens = st.one_of(
    st.from_regex(r"\A[A-Za-z0-9_~.!-]{1,30}\Z"), st.sampled_from(["oid1~abc", "a~b", "a~b~c", "a~"])
)
targets = st.one_of(
    st.from_regex(r"\A(/[a-zA-Z0-9%.?=&_-]{0,6}){1,5}\Z"),
    st.sampled_from(
        ["/image/v2/images/1", "/s/x41/image/v2/images/2?limit=3", "/image//v2/x", "/image/v2/x y", "*"]
    ),
)
fields = st.lists(
    st.tuples(st.sampled_from(PASSING + OTHERS), values), max_size=6, unique_by=lambda field: field[0]
)


def request(target: str, token: str, others, order: int) -> bytes:
    lines = [("Host", "proxy:8888"), ("X-Auth-Token", token), ("Accept-Encoding", "gzip"), *others]
    lines = lines[order % len(lines) :] + lines[: order % len(lines)]
    text = "".join(f"{name}: {value}\r\n" for name, value in [*lines, ("User-Agent", "a")])
    return f"GET {target} HTTP/1.1\r\n{text}\r\n".encode("latin-1")


def by_the_whole_way(head, *, identity: bool) -> bytes:
    return written(
        head,
        IMAGES,
        head.framing,
        token="the token",
        service_token=None,
        peer="127.0.0.1",
        peer_trusted=False,
        pseudonym="us",
        request_id=ID,
        identity_encoding=identity,
    )


@settings(max_examples=300, deadline=None)
@given(
    first=fields,
    second=st.lists(values, min_size=6, max_size=6),
    target=targets,
    token=tokens,
    order=st.integers(0, 8),
)
@example(first=[("Accept", "a")], second=["b"] * 6, target="/image/v2/images/1", token="a~b", order=0)
def test_requests(first, second, target, token, order):
    data = request("/image/v2/images/1", "gAAAA~x", first, order)
    try:
        head = request_head(data, LIMITS)
    except OidproxyError:
        assume(False)
    shape = request_shape(head, port_of_service=False)
    assume(shape is not None)
    free = frozenset(
        name.lower().encode() for name, _ in first if may_differ(name.lower().encode(), of_answers=False)
    )
    stencil = request_stencil(head, shape, free)
    odd_id = any(name == "X-Openstack-Request-Id" and value != ID for name, value in first)
    # Whitespace around a value belongs to its line (RFC 9110, section 5.5): without it the stencil is met.
    bare = [(name, value.strip()) for name, value in first]
    assert odd_id or stencil.match(request("/image/v2/images/1", "gAAAA~x", bare, order)) is not None
    other = [(name, value) for (name, _), value in zip(first, second, strict=False)]
    again = request(target, token, other, order)
    found = stencil.match(again)
    if found is None:
        return
    read = request_head(again, LIMITS)
    groups = found.groups()
    before, rest, query, bare, envelope = stencil.read(groups)
    assert read.target == before + rest + query
    assert read.get(b"x-auth-token") == bare + envelope
    assert stencil.scope is None or read.get(b"x-scope") == groups[stencil.scope]
    assert b"~" not in bare
    for identity in (False, True):
        lines = (stencil.identity if identity else stencil.whole)(groups)
        request_id = ID.encode() if stencil.request_id is None else groups[stencil.request_id]
        tail = b"Accept-Encoding: identity\r\n" if identity else b""
        expected = by_the_whole_way(read, identity=identity)
        begin = b"GET /v2/images/1 HTTP/1.1\r\nHost: 127.0.1.1:9292\r\n"
        token_line = b"X-Auth-Token: the token\r\n"
        end = b"Via: 1.1 us\r\nX-Forwarded-For: 127.0.0.1\r\nX-Openstack-Request-Id: " + request_id
        assert begin + lines + token_line + tail + end + b"\r\n\r\n" == expected


answers = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "Date",
                "Server",
                "ETag",
                "Vary",
                "X-Openstack-Request-Id",
                "Keep-Alive",
                "X-Scope-Why",
                "Location",
                "Content-Encoding",
                "Set-Cookie",
                "Alt-Svc",
                "Accept-Ranges",
                "X-Compute-Request-Id",
            )
        ),
        values,
    ),
    max_size=6,
    unique_by=lambda field: field[0],
)


@settings(max_examples=300, deadline=None)
@given(
    first=answers, second=st.lists(values, min_size=6, max_size=6), length=st.from_regex(r"\A[0-9]{1,19}\Z")
)
def test_answers(first, second, length):
    def say(others, size: str) -> bytes:
        lines = [
            *others,
            ("Content-Type", "text/plain"),
            ("Content-Length", size),
            ("Connection", "keep-alive"),
        ]
        return ("HTTP/1.1 200 OK\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines) + "\r\n").encode("latin-1")

    try:
        head = response_head(say(first, "10"), method="GET", limits=LIMITS)
    except OidproxyError:
        assume(False)
    shape = answer_shape(head)
    assume(shape is not None)
    free = frozenset(
        name.lower().encode() for name, _ in first if may_differ(name.lower().encode(), of_answers=True)
    )
    stencil = answer_stencil(head, shape, free)
    other = [(name, value) for (name, _), value in zip(first, second, strict=False)]
    again = say(other, length)
    found = stencil.match(again + b"the body")
    if found is None:
        return
    read = response_head(again, method="GET", limits=LIMITS)
    size = int(found.groups()[stencil.length])
    whole = answer(read, IMAGES, "GET", None).head_bytes(close=False)
    assert stencil.whole(found.groups()) + b"Content-Length: %d\r\n\r\n" % size == whole
    assert stencil.has_request_id == (read.get(b"x-openstack-request-id") is not None)
