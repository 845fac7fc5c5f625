"""What the connections of a worker share."""

from __future__ import annotations

import re

from oidproxy.routing.decision import Snapshot
from tests.wire.rig import rig


async def test_request_ids_have_openstacks_form_and_are_never_the_same(tmp_path):
    async with rig(tmp_path) as proxy:
        ids = {proxy.serving.request_id() for _ in range(1000)}
        assert len(ids) == 1000
        form = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}")
        assert all(form.fullmatch(one) for one in ids)


async def test_trusted_proxies_are_networks(tmp_path):
    async with rig(tmp_path, more="trusted_proxies: [10.0.0.0/8, '::1']\n") as proxy:
        assert proxy.serving.trusts("10.1.2.3")
        assert proxy.serving.trusts("::1")
        assert not proxy.serving.trusts("11.1.2.3")
        assert not proxy.serving.trusts("")


async def test_more_clients_than_the_limit_are_turned_away(tmp_path):
    async with rig(tmp_path, more="limits: {clients: 1}\n") as proxy:
        first = await proxy.client()
        await first.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        await first.head()
        second = await proxy.client()
        assert await second.rest() == b""
        first.close()


async def test_counters_and_pools_are_told(tmp_path):
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
        await peer.head()
        await peer.exactly(2)
        samples = proxy.serving.samples()
        requests = samples["oidproxy_requests_total"]
        assert requests[("cloud", "cloud-1"), ("service", "image"), ("status", "2xx")] == 1
        assert samples["oidproxy_connections"] == {(): 1}
        assert samples["oidproxy_upstream_calls_total"] == {(("cloud", "cloud-1"), ("service", "image")): 1}


async def test_hits_and_misses_of_the_memories_are_told_and_outlive_a_reload(tmp_path):
    async with rig(tmp_path) as proxy:
        peer = await proxy.client()

        async def ask(scope: bytes) -> None:
            await peer.send(b"GET /image/v2/images HTTP/1.1\r\nHost: p\r\nX-Scope: " + scope + b"\r\n\r\n")
            await peer.head()
            await peer.exactly(2)

        def told(memory: str) -> tuple[float, float]:
            samples, labels = proxy.serving.samples(), (("cache", memory),)
            return samples["oidproxy_cache_hits_total"][labels], samples["oidproxy_cache_misses_total"][
                labels
            ]

        await ask(b"image:cloud-1")
        assert (told("scope"), told("route")) == ((0, 1), (0, 1))
        await ask(b"image:cloud-1")
        assert (told("scope"), told("route")) == ((0, 1), (1, 1))
        snapshot = proxy.serving.snapshot
        proxy.serving.swap(Snapshot(snapshot.registry, snapshot.keyring, 2))
        await ask(b"image:cloud-1")
        assert (told("scope"), told("route")) == ((0, 2), (1, 2))
        hits, misses = told("envelope")
        assert (hits, misses) >= (0, 0)


async def test_links_of_a_service_that_knows_itself_under_another_url_are_learned(tmp_path):
    from tests.wire.rig import Peer, Upstream

    def body(data: bytes) -> bytes:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
        return head + data

    document = (
        b'{"version": {"id": "v2.1", "links": [{"rel": "self", "href": "https://public.example/v2.1/"}]}}'
    )
    servers = b'{"servers": [], "servers_links": [{"rel": "next", "href": "https://public.example/v2.1/servers?marker=x"}]}'

    def make(upstream: Upstream):
        async def handle(peer: Peer) -> None:
            while True:
                head = await peer.head()
                await peer.send(body(servers if b"/servers " in head else document))

        return handle

    async with rig(tmp_path, make) as proxy:
        peer = await proxy.client()
        await peer.send(b"GET /compute/v2.1/ HTTP/1.1\r\nHost: proxy:8888\r\n\r\n")
        await peer.head()
        assert b'"http://proxy:8888/compute/v2.1/"' in await peer.until(b"0\r\n\r\n")
        await peer.send(b"GET /compute/v2.1/servers HTTP/1.1\r\nHost: proxy:8888\r\n\r\n")
        await peer.head()
        assert b'"http://proxy:8888/compute/v2.1/servers?marker=x"' in await peer.until(b"0\r\n\r\n")


async def test_a_connection_that_fails_to_be_swept_is_cut_off_and_takes_no_other_with_it(tmp_path, caplog):
    class Broken:
        aborted = False

        def sweep(self, now: float) -> None:
            raise ValueError("a bug")

        def drain(self) -> None:
            pass

        def abort(self) -> None:
            self.aborted = True

    async with rig(tmp_path, more="limits: {head: 200ms}\n") as proxy:
        broken = Broken()
        proxy.serving.admit(broken)
        assert (await proxy.ask(b"GET ")).startswith(b"HTTP/1.1 408 ")
        proxy.serving.dismiss(broken)
        assert broken.aborted
    assert "failed by a bug" in caplog.text
