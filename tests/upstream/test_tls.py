"""TLS towards clouds: verified by the cloud's own authorities, or refused."""

from __future__ import annotations

import asyncio
import logging
import ssl
import warnings

import pytest
import trustme

from oidproxy.errors import ConnectRefused, TlsFailed
from oidproxy.http.head import Length
from oidproxy.upstream.resolving import Resolver
from oidproxy.upstream.tls import Contexts, Trust
from tests.upstream.asking import asking, endpoint_at, eventually, registry_of, request_to
from tests.upstream.service import OK, Peer, Service, answering, serving


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def everywhere(host: str) -> tuple[str, ...]:
    return ("127.0.0.1",)


def resolver() -> Resolver:
    return Resolver(asyncio.get_running_loop(), lookup=everywhere)


async def test_g11_a_cloud_with_its_own_authority_is_reached(authority):
    seen: list[str] = []
    context = server_context(authority, "cloud.example")
    context.sni_callback = lambda sock, name, ctx: seen.append(name)  # type: ignore[assignment]
    async with serving(answering(OK), context) as service:
        endpoint = endpoint_at(service.port, scheme="https", host="cloud.example")
        async with asking(registry_of(endpoint, cacert=pem(authority)), resolver=resolver()) as asker:
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert seen == ["cloud.example"]
            assert len(service.peers) == 1
            assert service.peers[0].writer.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}


async def test_g11_a_certificate_for_an_address_is_verified_by_it(authority):
    async with serving(answering(OK), server_context(authority, "127.0.0.1")) as service:
        endpoint = endpoint_at(service.port, scheme="https")
        async with asking(registry_of(endpoint, cacert=pem(authority))) as asker:
            assert (await asker.ask(request_to(endpoint))).body == b"ok"


@pytest.mark.parametrize("wrong", ["authority", "name", "system"])
async def test_g11_a_certificate_that_is_not_verified_is_a_502_and_nothing_is_sent(authority, wrong):
    names = ["elsewhere.example"] if wrong == "name" else ["cloud.example"]
    cacert = None if wrong == "system" else pem(trustme.CA() if wrong == "authority" else authority)
    async with serving(answering(OK), server_context(authority, *names)) as service:
        endpoint = endpoint_at(service.port, scheme="https", host="cloud.example")
        async with asking(registry_of(endpoint, cacert=cacert), resolver=resolver()) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert isinstance(recorder.error, TlsFailed)
            assert (recorder.error.status, recorder.error.sent, recorder.error.cloud) == (
                502,
                False,
                "cloud-1",
            )
            assert "certificate" in recorder.error.message
            assert service.heads == []


async def test_g11_insecure_is_not_verified_and_loud(authority, caplog):
    async with serving(answering(OK), server_context(authority, "elsewhere.example")) as service:
        endpoint = endpoint_at(service.port, scheme="https", host="cloud.example")
        async with asking(registry_of(endpoint, insecure=True), resolver=resolver()) as asker:
            with caplog.at_level(logging.WARNING, "oidproxy.upstream"):
                assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert "cloud-1: its certificates are NOT verified" in caplog.text


async def test_g11_tls_1_1_is_refused(authority):
    context = server_context(authority, "cloud.example")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(answering(OK), context) as service:
        endpoint = endpoint_at(service.port, scheme="https", host="cloud.example")
        async with asking(registry_of(endpoint, cacert=pem(authority)), resolver=resolver()) as asker:
            assert isinstance((await asker.ask(request_to(endpoint))).error, TlsFailed)


async def test_a_port_that_speaks_no_tls_is_a_502():
    async def script(service: Service, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.rest()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port, scheme="https")
        async with asking(registry_of(endpoint)) as asker:
            assert isinstance((await asker.ask(request_to(endpoint))).error, TlsFailed)


async def test_a_port_that_closes_in_the_handshake_is_a_502():
    async def script(service: Service, peer: Peer) -> None:
        peer.reset()

    async with serving(script) as service:
        endpoint = endpoint_at(service.port, scheme="https")
        async with asking(registry_of(endpoint)) as asker:
            assert isinstance((await asker.ask(request_to(endpoint))).error, TlsFailed)


async def test_a_refused_tls_connection_is_refused_all_the_same():
    endpoint = endpoint_at(1, scheme="https")
    async with asking(registry_of(endpoint)) as asker:
        assert isinstance((await asker.ask(request_to(endpoint))).error, ConnectRefused)


async def test_authorities_that_are_none_are_a_502():
    endpoint = endpoint_at(1, scheme="https")
    async with asking(registry_of(endpoint, cacert="not a certificate")) as asker:
        assert isinstance((await asker.ask(request_to(endpoint))).error, TlsFailed)


async def test_large_bodies_go_both_ways_over_tls(authority):
    size = 4 << 20

    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        body = await peer.exactly(size)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        await peer.send(body)
        await peer.rest()

    async with serving(script, server_context(authority, "127.0.0.1")) as service:
        endpoint = endpoint_at(service.port, scheme="https")
        async with asking(registry_of(endpoint, cacert=pem(authority))) as asker:
            call, recorder = asker.start(request_to(endpoint, "PUT", Length(size)))
            sent = 0
            await recorder.was_told("ready")
            while sent < size:
                await eventually(lambda: recorder.told[-1] == "ready")
                call.send(bytes([sent >> 16 & 255]) * 65536)
                sent += 65536
            call.finish()
            await recorder.ended()
            assert recorder.body == b"".join(bytes([number]) * 65536 for number in range(64))
            assert asker.stats().idle == 1


async def test_an_answer_that_ends_with_a_tls_connection(authority):
    async def script(service: Service, peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async with serving(script, server_context(authority, "127.0.0.1")) as service:
        endpoint = endpoint_at(service.port, scheme="https")
        async with asking(registry_of(endpoint, cacert=pem(authority))) as asker:
            recorder = await asker.ask(request_to(endpoint))
            assert (recorder.told[-1], recorder.body) == ("end", b"all of it")


def test_contexts_are_built_once_for_each_trust_and_forgotten_when_nobody_needs_them(authority):
    contexts = Contexts()
    own = Trust(pem(authority))
    assert contexts.get(own, "a") is contexts.get(own, "b")
    assert contexts.get(Trust(), "a") is not contexts.get(own, "a")
    before = contexts.get(own, "a")
    contexts.keep_only([Trust()])
    assert contexts.get(own, "a") is not before


def test_no_session_keys_are_written_to_a_file_that_a_variable_names(monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert Contexts().get(Trust(), "a").keylog_filename is None
