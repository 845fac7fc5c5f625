"""A head that is made of another cloud's is, byte for byte, the one that would have been written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.limits import Limits
from oidproxy.clouds.registry import Endpoint, Listener, Origin
from oidproxy.errors import InternalError, LoopDetected, TokenRefused
from oidproxy.http.head import Length, NoBody
from oidproxy.http.parse import request_head as parsed
from oidproxy.manyclouds.asker import Asker
from oidproxy.manyclouds.heads import Heads
from oidproxy.rewrite.request import request_head
from oidproxy.routing.decision import Carrier, Facade, Route
from oidproxy.scope.tree import NO_SCOPE

GATEWAY = Facade("http", "proxy", 8888, Listener("127.0.0.1", 8888))
BESIDE = Facade("http", "proxy", 8888, Listener("127.0.0.1", None, {}, "cloud-2"))


def asker(*lines: bytes) -> Asker:
    head = parsed(b"\r\n".join([b"GET /image/v2/images HTTP/1.1", b"Host: x", *lines, b"", b""]), Limits())
    return Asker(head, "10.0.0.9", peer_trusted=False, request_id="req-1", via_depth=8)


def route(cloud: str, port: int, target: bytes, facade: Facade = GATEWAY) -> Route:
    endpoint = Endpoint(cloud, "image", Origin("http", "10.1.2.3", port), root="/root")
    return Route(
        "image", endpoint, target, b"/v2/images", "cloud-1", Carrier.HEADER, NO_SCOPE, NO_SCOPE, facade
    )


def whole(
    who: Asker, way: Route, token: str | None, service: str | None, *, plain: bool, framing=None
) -> bytes:
    return request_head(
        who.head,
        way,
        framing or NoBody(),
        token=token,
        service_token=service,
        peer=who.peer,
        peer_trusted=who.peer_trusted,
        pseudonym="us",
        request_id=who.request_id,
        identity_encoding=plain,
        via_depth=who.via_depth,
    )


LINES = st.lists(
    st.sampled_from(
        [
            b"Accept: application/json",
            b"Accept-Encoding: gzip",
            b"Authorization: Bearer x",
            b"Cookie: a=b",
            b"Connection: X-Auth-Token-Like, close",
            b"X-Auth-Token-Like: 1",
            b"X-Auth-Token: theirs",
            b"Range: bytes=0-1",
            b"Via: 1.1 other",
            b"Weird: X-Auth-Token: no",
        ]
    ),
    max_size=8,
    unique=True,
)
WAYS = st.builds(
    route,
    st.sampled_from(["cloud-1", "cloud-2", "cloud-3"]),
    st.sampled_from([80, 9292]),
    st.sampled_from([b"/root/v2/images", b"/root/v2/images?limit=4", b"/v2/\xc3\xa9"]),
    st.sampled_from([GATEWAY, BESIDE]),
)


@given(
    LINES,
    st.lists(
        st.tuples(WAYS, st.sampled_from(["one", "another~x"]), st.sampled_from([None, "s"]), st.booleans()),
        max_size=12,
    ),
)
def test_every_head_is_the_one_that_would_have_been_written(lines, asked):
    who = asker(*lines)
    heads = Heads(who, "us")
    for way, token, service, plain in asked:
        made = heads.written(who.head, way, NoBody(), token=token, service_token=service, plain=plain)
        assert made == whole(who, way, token, service, plain=plain)


def test_a_body_and_no_token_make_heads_of_their_own():
    who, heads = asker(), Heads(asker(), "us")
    way = route("cloud-2", 9292, b"/x")
    for framing in (NoBody(), Length(3), Length(4)):
        for token in (None, "t", "u"):
            made = heads.written(who.head, way, framing, token=token, service_token=None, plain=True)
            assert made == whole(who, way, token, None, plain=True, framing=framing)


@pytest.mark.parametrize(("token", "error"), [("a\r\nX: y", InternalError), ("\u2603", TokenRefused)])
def test_a_token_that_is_none_is_refused_also_for_the_second_cloud(token, error):
    who = asker()
    heads = Heads(who, "us")
    way = route("cloud-2", 9292, b"/x")
    heads.written(who.head, way, NoBody(), token="good", service_token=None, plain=True)
    with pytest.raises(error):
        heads.written(who.head, way, NoBody(), token=token, service_token=None, plain=True)


def test_a_loop_is_noticed():
    who = asker(b"Via: 1.1 us")
    with pytest.raises(LoopDetected):
        Heads(who, "us").written(
            who.head, route("cloud-2", 1, b"/x"), NoBody(), token="t", service_token=None, plain=True
        )
