"""Whatever comes: nothing stripped gets through, nothing kept changes, no line is added."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.clouds.limits import Limits
from oidproxy.errors import OidproxyError
from oidproxy.http.fields import (
    FORWARDED_PREFIXES,
    HOP_BY_HOP,
    KEYSTONE_FIELDS,
    SCOPE_PREFIXES,
    SECRET_FIELDS,
    connection_named,
)
from oidproxy.http.parse import request_head as parsed_request
from oidproxy.http.parse import response_head as parsed_response
from oidproxy.rewrite.answer import answer
from oidproxy.rewrite.links import Links
from oidproxy.rewrite.request import request_head
from tests.rewrite.world import gateway, route, two_clouds

LINKS = Links.of(two_clouds(), "cloud-1", gateway("x41"))
SERVERS = route("compute", b"/v2.1/servers")
ROUTES = [SERVERS, route("image", b"/v2/images/1/file"), route("identity", b"/v3")]

known = st.sampled_from(
    sorted(
        HOP_BY_HOP
        | KEYSTONE_FIELDS
        | SECRET_FIELDS
        | {
            b"via",
            b"range",
            b"accept",
            b"x-forwarded-for",
            b"forwarded",
            b"x-openstack-request-id",
            b"location",
        }
        | {
            b"x-scope",
            b"x-scope-tokens",
            b"x-oidproxy-x",
            b"content-type",
            b"content-encoding",
            b"link",
            b"proxy",
        }
    )
)
names = st.one_of(known, st.from_regex(rb"\A[A-Za-z][A-Za-z0-9-]{0,8}\Z")).flatmap(
    lambda name: st.sampled_from([name, name.title(), name.upper()])
)
texts = st.one_of(
    st.from_regex(rb"\A[!-~\x80-\xff]([ -~\x80-\xff]{0,12}[!-~\x80-\xff])?\Z"),
    st.sampled_from(
        [
            b"close",
            b"keep-alive",
            b"x-foo, close",
            b"1.1 oid-1",
            b"http://127.0.1.1:8774/x",
            b"application/json",
        ]
    ),
)
plain = st.lists(st.tuples(names, texts), max_size=12)


def naming(lines):
    """The same, with a Connection that names one of them."""
    named = st.sampled_from([name for name, _ in lines] or [b"x-none"])
    return named.map(lambda name: [(b"Connection", b"keep-alive, " + name), *lines])


fields = st.one_of(plain, plain.flatmap(naming))
values = st.one_of(
    st.none(), st.text(max_size=20), st.sampled_from(["ok", "a\r\nX-Roles: admin", "a\nb", "\0"])
)


def written(first: bytes, lines) -> bytes:
    return b"\r\n".join([first, *(b"%b: %b" % line for line in lines), b"", b""])


def read(head: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    assert head.endswith(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    assert not any(byte in line for line in [first, *lines] for byte in b"\r\n\0")
    return first, [tuple(line.split(b": ", 1)) for line in lines]


@settings(max_examples=400, deadline=None)
@given(
    lines=fields,
    given_values=st.fixed_dictionaries({"token": values, "service_token": values, "subject": values}),
    to=st.sampled_from(ROUTES),
    trusted=st.booleans(),
    identity=st.booleans(),
)
def test_a_request_head_never_holds_what_is_stripped_and_only_lines_that_were_meant(
    lines, given_values, to, trusted, identity
):
    try:
        head = parsed_request(written(b"GET /x HTTP/1.1", [(b"Host", b"p"), *lines]), Limits())
        sent = request_head(
            head,
            to,
            head.framing,
            peer="1.2.3.4",
            peer_trusted=trusted,
            pseudonym="oid-1",
            request_id="req-1",
            identity_encoding=identity,
            **given_values,
        )
    except OidproxyError:
        return
    first, passed = read(sent)
    assert first == b"GET " + to.target + b" HTTP/1.1"
    lower = [(name.lower(), value) for name, value in passed]
    ours = {b"host", b"via", b"x-forwarded-for", b"x-openstack-request-id"}
    ours |= {b"x-auth-token", b"x-service-token", b"x-subject-token"}
    for name, value in lower:
        assert name not in HOP_BY_HOP | KEYSTONE_FIELDS | {b"proxy", b"cookie", b"x-storage-token", b"expect"}
        assert not name.startswith(SCOPE_PREFIXES)
        assert name == b"x-forwarded-for" or not name.startswith(FORWARDED_PREFIXES)
        assert (
            name not in connection_named(head.fields)
            or name in ours
            or (name == b"accept-encoding" and identity)
        )
        assert (name, value) in [(one.lower(), text) for one, text in head.fields] or name in ours or identity
    for name, value in given_values.items():
        field = {
            "token": b"x-auth-token",
            "service_token": b"x-service-token",
            "subject": b"x-subject-token",
        }[name]
        assert [text for one, text in lower if one == field] == (
            [] if value is None else [value.encode("latin-1")]
        )
    for name in ours:
        assert sum(one == name for one, _ in lower) <= 1


@settings(max_examples=400, deadline=None)
@given(
    lines=fields,
    status=st.sampled_from([b"200 OK", b"204 No Content", b"304 Not Modified", b"206 Partial", b"500 "]),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    to=st.sampled_from(ROUTES),
    minor=st.sampled_from([0, 1]),
    size=st.one_of(st.none(), st.integers(0, 10**9)),
    kind=st.sampled_from([[], [(b"Content-Type", b"application/json")]]),
)
def test_an_answer_is_delimited_in_exactly_one_true_way(lines, status, method, to, minor, size, kind):
    lines = [*lines, *kind]
    length = [] if size is None else [(b"Content-Length", b"%d" % size)]
    try:
        head = parsed_response(
            written(b"HTTP/1.1 " + status, [*lines, *length]), method=method, limits=Limits()
        )
        rewritten = answer(head, to, method, LINKS, client_minor=minor)
    except OidproxyError:
        return
    first, passed = read(rewritten.head_bytes(close=False))
    assert first == b"HTTP/1.1 " + status
    lower = [name.lower() for name, _ in passed]
    for name in lower:
        assert name in {b"transfer-encoding", b"connection"} or name not in HOP_BY_HOP
        assert not name.startswith(SCOPE_PREFIXES)
    lengths = [value for name, value in passed if name.lower() == b"content-length"]
    chunked = lower.count(b"transfer-encoding")
    assert len(lengths) + chunked <= 1
    bodiless = method == "HEAD" or status[:3] in {b"204", b"304"}
    closes = (b"Connection", b"close") in passed
    if bodiless:
        assert not chunked
        assert rewritten.scanner is None
    else:
        assert len(lengths) + chunked + closes >= 1
        assert not (chunked and minor == 0)
    if rewritten.scanner is not None:
        assert not lengths
    elif lengths:
        assert lengths == [b"%d" % size]
    content_type = (head.get(b"content-type") or b"").partition(b";")[0]
    if method == "HEAD" and content_type == b"application/json" and to is SERVERS and status[:3] != b"206":
        assert not lengths
