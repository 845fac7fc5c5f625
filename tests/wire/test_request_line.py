"""Part B of the gateway checklist on the wire: request line, target and Host."""

from __future__ import annotations

import pytest

from tests.wire.rig import rig

ANSWERED_HERE = {
    "B1 version 2.0": (b"GET /image/ HTTP/2.0\r\nHost: proxy\r\n\r\n", 505),
    "B1 version 1.2": (b"GET /image/ HTTP/1.2\r\nHost: proxy\r\n\r\n", 505),
    "B1 version 0.9": (b"GET /image/ HTTP/0.9\r\nHost: proxy\r\n\r\n", 505),
    "B1 no version": (b"GET /image/\r\nHost: proxy\r\n\r\n", 400),
    "B2 TRACE": (b"TRACE /image/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 405),
    "B2 CONNECT": (b"CONNECT proxy:443 HTTP/1.1\r\nHost: proxy\r\n\r\n", 405),
    "B2 unknown": (b"BREW /image/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 501),
    "B2 lower case": (b"get /image/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 501),
    "B3 other authority": (b"GET http://elsewhere.example/image/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B5 no Host": (b"GET /image/ HTTP/1.1\r\n\r\n", 400),
    "B5 two Hosts": (b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nHost: proxy\r\n\r\n", 400),
    "B5 userinfo": (b"GET /image/ HTTP/1.1\r\nHost: a@proxy\r\n\r\n", 400),
    "B5 path": (b"GET /image/ HTTP/1.1\r\nHost: proxy/x\r\n\r\n", 400),
    "B5 empty": (b"GET /image/ HTTP/1.1\r\nHost: \r\n\r\n", 400),
    "B6 long": (b"GET /image/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: proxy\r\n\r\n", 414),
    "B6 fragment": (b"GET /image/#x HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B6 %00": (b"GET /image/%00 HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B6 %0d%0a": (b"GET /image/%0d%0a HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B6 non-ASCII": (b"GET /image/\xc3\xa9 HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B6 dots": (b"GET /image/../identity/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B6 dot": (b"GET /image/./v2 HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B6 encoded dots": (b"GET /image/%2e%2E/identity/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B6 backslash": (b"GET /image\\v2 HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B7 two spaces": (b"GET  /image/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B7 tab": (b"GET\t/image/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B7 VT": (b"GET\x0b/image/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "B7 two CRLF": (b"\r\n\r\nGET /image/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 400),
    "C3 underscore": (b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nX_Auth_Token: x\r\n\r\n", 400),
    "C2 Connection names the token": (
        b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nConnection: X-Auth-Token\r\nX-Auth-Token: x\r\n\r\n",
        400,
    ),
    "C5 two tokens": (
        b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nX-Auth-Token: a\r\nx-auth-token: b\r\n\r\n",
        400,
    ),
    "C5 two scopes": (b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nX-Scope: a\r\nX-Scope: b\r\n\r\n", 400),
    "C6 fields": (b"GET /image/ HTTP/1.1\r\nHost: proxy\r\n" + b"X-A: 1\r\n" * 101 + b"\r\n", 431),
    "C6 field": (b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nX-A: " + b"a" * 17_000 + b"\r\n\r\n", 431),
    "C6 head": (
        b"GET /image/ HTTP/1.1\r\nHost: proxy\r\n" + (b"X-A: " + b"a" * 15_000 + b"\r\n") * 5 + b"\r\n",
        431,
    ),
    "C11 other expectation": (
        b"POST /image/ HTTP/1.1\r\nHost: proxy\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\nx",
        417,
    ),
    "no such service": (b"GET /teapot/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 404),
    "service absent": (b"GET /volumev3/ HTTP/1.1\r\nHost: proxy\r\n\r\n", 404),
    "G1 unknown cloud": (b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nX-Scope: image:evil.example\r\n\r\n", 400),
    "G5 deep scope": (b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nX-Scope: " + b"(" * 3000 + b"\r\n\r\n", 400),
    "G5 long scope": (b"GET /image/ HTTP/1.1\r\nHost: proxy\r\nX-Scope: " + b"a|" * 3000 + b"a\r\n\r\n", 400),
}


@pytest.mark.parametrize(("data", "status"), ANSWERED_HERE.values(), ids=ANSWERED_HERE.keys())
async def test_what_is_no_request_of_ours_is_refused_here(tmp_path, data, status):
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(data)
        answer = await peer.head()
        peer.close()
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"X-Oidproxy-Error: " in answer
        assert proxy.upstream.connections == []


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (
            b"GET /image/v2/images/a%2Fb?x=%20&y HTTP/1.1\r\nHost: proxy\r\n\r\n",
            b"GET /v2/images/a%2Fb?x=%20&y HTTP/1.1",
        ),
        (b"GET /glance/v2//images HTTP/1.1\r\nHost: proxy\r\n\r\n", b"GET /v2//images HTTP/1.1"),
        (b"\r\nGET /image/v2 HTTP/1.1\r\nHost: proxy\r\n\r\n", b"GET /v2 HTTP/1.1"),
        (b"GET /image/v2 HTTP/1.0\r\n\r\n", b"GET /v2 HTTP/1.1"),
        (b"GET /compute/v2.1/servers HTTP/1.1\r\nHost: proxy\r\n\r\n", b"GET /compute/v2.1/servers HTTP/1.1"),
        (b"GET /s/image:cloud-1/image/v2 HTTP/1.1\r\nHost: proxy\r\n\r\n", b"GET /v2 HTTP/1.1"),
    ],
)
async def test_b6_the_path_goes_upstream_byte_for_byte(tmp_path, sent, received):
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(sent)
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert proxy.upstream.heads[0].partition(b"\r\n")[0] == received


async def test_b3_our_own_authority_in_absolute_form_is_ours(tmp_path):
    async with rig(tmp_path) as proxy:
        authority = f"{proxy.address}:{proxy.port}".encode()
        peer = await proxy.client()
        await peer.send(
            b"GET http://" + authority + b"/image/v2 HTTP/1.1\r\nHost: " + authority + b"\r\n\r\n"
        )
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert proxy.upstream.heads[0].startswith(b"GET /v2 HTTP/1.1\r\n")


async def test_b4_options_star_and_the_last_hop_are_answered_here(tmp_path):
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(b"OPTIONS * HTTP/1.1\r\nHost: proxy\r\n\r\n")
        answer = await peer.head()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Allow: GET" in answer
        await peer.send(b"OPTIONS /image/v2 HTTP/1.1\r\nHost: proxy\r\nMax-Forwards: 0\r\n\r\n")
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert proxy.upstream.connections == []


async def test_b2_405_says_what_is_allowed(tmp_path):
    async with rig(tmp_path) as proxy:
        assert b"Allow: GET" in await proxy.ask(b"TRACE /image/ HTTP/1.1\r\nHost: proxy\r\n\r\n")


async def test_errors_are_openstack_shaped_and_carry_the_request_id(tmp_path):
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /teapot/secret-path HTTP/1.1\r\nHost: proxy\r\n\r\n")
        head = await peer.head()
        body = await peer.until(b"}}")
        assert b'"code": 404' in body or b'"code":404' in body
        assert b"X-Openstack-Request-Id: req-" in head
        assert b"secret-path" not in body
