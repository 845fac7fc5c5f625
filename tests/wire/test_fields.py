"""Part C of the gateway checklist on the wire: which fields pass, and which never do."""

from __future__ import annotations

import pytest

from tests.wire.rig import OK, Peer, Upstream, answering, rig


def fields(head: bytes) -> dict[bytes, bytes]:
    lines = head.split(b"\r\n")[1:-2]
    return {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}


async def sent_upstream(tmp_path, *lines: bytes) -> dict[bytes, bytes]:
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(
            b"GET /image/v2 HTTP/1.1\r\nHost: proxy\r\n"
            + b"".join(line + b"\r\n" for line in lines)
            + b"\r\n"
        )
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        return fields(proxy.upstream.heads[0])


async def test_c1_hop_by_hop_fields_do_not_reach_the_cloud(tmp_path):
    got = await sent_upstream(
        tmp_path,
        b"Connection: keep-alive, X-Mine",
        b"X-Mine: 1",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: Basic x",
        b"TE: trailers",
        b"Trailer: X-T",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAA",
        b"X-Kept: 1",
    )
    assert set(got) == {
        b"host",
        b"x-kept",
        b"via",
        b"x-forwarded-for",
        b"accept-encoding",
        b"x-openstack-request-id",
    }


async def test_c1_hop_by_hop_fields_do_not_reach_the_client(tmp_path):
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nTrailer: X\r\n"
        b"Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok"
    )
    async with rig(tmp_path, answering(answer)) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: proxy\r\n\r\n")
        got = fields(await peer.head())
        assert got.keys() & {b"x-mine", b"keep-alive", b"trailer", b"proxy-authenticate", b"upgrade"} == set()
        assert got[b"x-kept"] == b"1"


async def test_c4_identity_fields_of_a_client_are_removed(tmp_path):
    got = await sent_upstream(
        tmp_path,
        b"X-Identity-Status: Confirmed",
        b"X-Roles: admin",
        b"X-User-Id: a",
        b"X-Service-Roles: service",
        b"X-A: 1",
    )
    assert got.keys() & {b"x-identity-status", b"x-roles", b"x-user-id", b"x-service-roles"} == set()
    assert got[b"x-a"] == b"1"


async def test_c7_a_request_that_has_been_here_is_a_loop(tmp_path):
    async with rig(tmp_path) as proxy:
        answer = await proxy.ask(
            b"GET /image/v2 HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\nVia: 1.1 oidproxy-test\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 508 ")
        deep = b", ".join(b"1.1 p%d" % n for n in range(9))
        answer = await proxy.ask(
            b"GET /image/v2 HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\nVia: " + deep + b"\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 508 ")
        assert proxy.upstream.heads == []


async def test_c7_via_names_this_proxy(tmp_path):
    got = await sent_upstream(tmp_path, b"Via: 1.0 other")
    assert got[b"via"] == b"1.0 other, 1.1 oidproxy-test"


async def test_c8_forwarded_fields_are_ours_alone(tmp_path):
    got = await sent_upstream(
        tmp_path,
        b"X-Forwarded-For: 10.0.0.1",
        b"X-Forwarded-Host: evil",
        b"X-Forwarded-Prefix: /x",
        b"Forwarded: for=1",
    )
    assert got[b"x-forwarded-for"] == b"127.0.0.1"
    assert got.keys() & {b"x-forwarded-host", b"x-forwarded-prefix", b"forwarded"} == set()


async def test_c8_a_trusted_proxys_x_forwarded_for_is_carried_on(tmp_path):
    async with rig(tmp_path, more="trusted_proxies: [127.0.0.0/8]\n") as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: proxy\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
        await peer.head()
        assert fields(proxy.upstream.heads[0])[b"x-forwarded-for"] == b"10.0.0.1, 127.0.0.1"


async def test_c8b_scope_fields_pass_in_neither_direction(tmp_path):
    forged = b"X-Scope-Clouds: forged\r\nX-Oidproxy-Error: forged\r\n"
    answer = b"HTTP/1.1 200 OK\r\n" + forged + b"Content-Length: 2\r\n\r\nok"
    async with rig(tmp_path, answering(answer)) as proxy:
        peer = await proxy.client()
        await peer.send(
            b"GET /image/v2 HTTP/1.1\r\nHost: proxy\r\nX-Scope: image:cloud-1\r\nX-Oidproxy-X: 1\r\n\r\n"
        )
        assert b"forged" not in await peer.head()
        assert not any(
            name.startswith((b"x-scope", b"x-oidproxy")) for name in fields(proxy.upstream.heads[0])
        )


async def test_c8c_an_answer_that_may_be_rewritten_is_asked_for_uncompressed(tmp_path):
    got = await sent_upstream(tmp_path, b"Accept-Encoding: gzip")
    assert got[b"accept-encoding"] == b"identity"


async def test_c9_bytes_above_127_pass_as_they_are(tmp_path):
    got = await sent_upstream(tmp_path, b"X-Name: caf\xc3\xa9")
    assert got[b"x-name"] == b"caf\xc3\xa9"


async def test_c10_nothing_is_invented(tmp_path):
    async with rig(tmp_path, answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as proxy:
        peer = await proxy.client()
        await peer.send(b"DELETE /compute/v2.1/servers/1 HTTP/1.1\r\nHost: proxy\r\n\r\n")
        answer = fields(await peer.head())
        assert answer.keys() & {b"server", b"content-type"} == set()
        sent = fields(proxy.upstream.heads[0])
        assert sent.keys() & {b"content-type", b"content-length", b"transfer-encoding"} == set()


async def test_host_is_the_targets(tmp_path):
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: proxy\r\n\r\n")
        await peer.head()
        assert fields(proxy.upstream.heads[0])[b"host"] == f"{proxy.upstream.host}:9292".encode()


async def test_c11_a_refused_upload_never_sends_its_body(tmp_path):
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(
            b"PUT /teapot/x HTTP/1.1\r\nHost: proxy\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await peer.head()).startswith(b"HTTP/1.1 404 ")


async def test_c11_100_is_sent_once_routing_is_done_and_expect_stays_here(tmp_path):
    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            upstream.heads.append(await peer.head())
            await peer.exactly(4)
            await peer.send(OK)

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(
            b"PUT /image/v2/images/1/file HTTP/1.1\r\nHost: proxy\r\n"
            b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        assert await peer.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await peer.send(b"data")
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        assert b"expect" not in fields(proxy.upstream.heads[0])


async def test_c12_upgrade_is_not_forwarded(tmp_path):
    got = await sent_upstream(tmp_path, b"Connection: Upgrade", b"Upgrade: websocket")
    assert got.keys() & {b"upgrade", b"connection"} == set()


@pytest.mark.parametrize("status", [102, 103])
async def test_c13_informational_answers_are_relayed(tmp_path, status):
    early = b"HTTP/1.1 %d Info\r\nLink: </x>; rel=preload\r\nX-Scope-Y: 1\r\n\r\n" % status
    async with rig(tmp_path, answering(early + OK)) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: proxy\r\n\r\n")
        first = await peer.head()
        assert first.startswith(b"HTTP/1.1 %d " % status)
        assert b"X-Scope" not in first
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
