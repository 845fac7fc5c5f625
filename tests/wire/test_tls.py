"""TLS on both sides: verified towards each cloud, terminated towards clients."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from oidproxy.clouds.registry import ListenerTls
from oidproxy.proxy.listening import server_context
from tests.wire.rig import Peer, eventually, loopback, rig

if TYPE_CHECKING:
    from pathlib import Path

TLS_1_2 = ssl.TLSVersion.TLSv1_2


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def test_clients_are_served_over_tls(tmp_path, authority):
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with rig(tmp_path, listener="tls: {cert: cert.pem, key: key.pem}") as proxy:
        peer = await proxy.client(trusting)
        for _ in range(2):
            await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: localhost:8888\r\n\r\n")
            assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
            assert await peer.exactly(2) == b"ok"
        await peer.send(b"GET /.well-known/openstack/api HTTP/1.1\r\nHost: localhost:8888\r\n\r\n")
        await peer.head()
        assert b"https://localhost:8888/identity/v3" in await peer.until(b"}}}")
    files = ListenerTls(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    assert server_context(files).minimum_version is TLS_1_2


def issue(authority: trustme.CA, folder: Path) -> None:
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def shown(peer: Peer) -> bytes:
    return peer.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)


async def test_f2_a_certificate_that_was_renewed_under_its_path_is_shown_after_a_reload(tmp_path, authority):
    issue(authority, tmp_path)
    async with rig(tmp_path, listener="tls: {cert: cert.pem, key: key.pem}") as proxy:
        before = await proxy.client(trusting(authority))
        issue(authority, tmp_path)
        for _ in range(2):
            await proxy.listening.match(proxy.serving.snapshot.registry.listeners)
            after = await proxy.client(trusting(authority))
            assert shown(before) != shown(after)
            issue(authority, tmp_path)
            before = after
        await after.send(b"GET /image/v2 HTTP/1.1\r\nHost: localhost:8888\r\n\r\n")
        assert (await after.head()).startswith(b"HTTP/1.1 200 ")


REFUSED = [
    (b"POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: p\r\nContent-Length: 8000000\r\n\r\n", b"413"),
    (b"PUT /image/v2 HTTP/1.1\r\nHost: p\r\nContent-Length: 8000000\r\nX_Auth: 1\r\n\r\n", b"400"),
]


@pytest.mark.parametrize(("head", "status"), REFUSED, ids=["of a body", "of a head"])
async def test_a_refusal_reaches_a_tls_client_that_first_sends_its_whole_body(
    tmp_path, authority, head, status
):
    issue(authority, tmp_path)
    async with rig(tmp_path, listener="tls: {cert: cert.pem, key: key.pem}") as proxy:
        peer = await proxy.client(trusting(authority))
        await peer.send(head)
        await asyncio.sleep(0.2)
        for _ in range(80):
            await peer.send(b"x" * 100_000)
            await asyncio.sleep(0.002)
        assert (await peer.head()).startswith(b"HTTP/1.1 %b " % status)
        await peer.rest()


async def test_a_tls_client_that_stays_after_the_last_answer_is_let_go(tmp_path, authority):
    issue(authority, tmp_path)
    async with rig(tmp_path, listener="tls: {cert: cert.pem, key: key.pem}") as proxy:
        peer = await proxy.client(trusting(authority))
        await peer.send(REFUSED[0][0])
        assert (await peer.head()).startswith(b"HTTP/1.1 413 ")
        await peer.rest()
        await eventually(lambda: not proxy.serving.connections)


@pytest.mark.parametrize(
    ("trusted", "name", "status"),
    [
        ("cacert: ca.pem", None, b"200"),
        ("cacert: other.pem", None, b"502"),
        ("cacert: ca.pem", "elsewhere.example", b"502"),
        ("", None, b"502"),
        ("insecure: true", "elsewhere.example", b"200"),
    ],
    ids=["verified", "another authority", "another name", "unknown authority", "insecure"],
)
async def test_a_cloud_is_believed_by_its_own_authority_alone(tmp_path, authority, trusted, name, status):
    up = loopback()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name or up).configure_cert(context)
    async with rig(tmp_path, upstream_host=up, upstream_tls=context, cloud=trusted) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        head = await peer.head()
        assert head.split()[1] == status
        if status == b"502":
            assert b"X-Oidproxy-Error: tls" in head
            assert proxy.upstream.heads == []
