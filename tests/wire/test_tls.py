"""TLS on both sides: verified towards each cloud, terminated towards clients."""

from __future__ import annotations

import ssl

import pytest
import trustme

from oidproxy.proxy.listening import server_context
from tests.wire.rig import loopback, rig

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
    assert server_context(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")).minimum_version is TLS_1_2


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
