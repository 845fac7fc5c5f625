"""Whatever clouds and askers do, every call ends once, and nothing is lost count of."""

from __future__ import annotations

import asyncio
import random

import pytest

from oidproxy.http.head import Chunked, Length, NoBody
from tests.upstream.asking import Recorder, asking, endpoint_at, eventually, registry_of, request_to
from tests.upstream.service import OK, Peer, Service, serving

BAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
NO = b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


LAST_WORDS = {
    "silence": b"",
    "two lengths": BAD,
    "bad chunk": CHUNKED + b"zz",
    "half": CHUNKED,
    "refusal": NO,
}
GOOD = {"at once": OK, "slowly": OK, "in chunks": CHUNKED + b"0\r\n\r\n", "with more behind": OK + b"extra"}
FATES = ["reset", "stuck", *LAST_WORDS, *[*GOOD] * 5]


async def take_body(peer: Peer, head: bytes) -> None:
    if b"chunked" in head:
        await peer.until(b"\r\n0\r\n\r\n")
    elif b"Content-Length" in head:
        await peer.exactly(6)


def unreliable(chance: random.Random):
    async def script(service: Service, peer: Peer) -> None:
        while True:
            head, fate = await peer.head(), chance.choice(FATES)
            if fate == "reset":
                peer.reset()
                return
            if fate in LAST_WORDS:
                await peer.send(LAST_WORDS[fate])
                return
            await asyncio.sleep({"stuck": 0.3, "slowly": 0.01}.get(fate, 0))
            await take_body(peer, head)
            await peer.send(GOOD.get(fate, OK))

    return script


async def one_call(asker, endpoint, chance: random.Random, recorders: list[Recorder]) -> None:
    framing, method = chance.choice(
        [(NoBody(), "GET"), (NoBody(), "DELETE"), (Length(6), "POST"), (Chunked(), "PUT")]
    )
    call, recorder = asker.start(request_to(endpoint, method, framing, from_service=chance.random() < 0.3))
    leaves = chance.random() < 0.1
    if framing != NoBody():
        await eventually(lambda: recorder.told)
        call.send(b"abc")
        await asyncio.sleep(0)
        call.send(b"def")
        if not leaves:
            call.finish()
    if leaves:
        await asyncio.sleep(chance.random() * 0.01)
        if not recorder.over:
            call.cancel()
            recorder.end()
    else:
        recorders.append(recorder)
        await recorder.ended(10)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_call_ends_once_and_every_place_is_given_back(seed):
    chance = random.Random(seed)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with serving(unreliable(chance)) as service:
        endpoint = endpoint_at(service.port)
        limits = {
            "pool": 8,
            "pool_reserved": 2,
            "waiting": 60,
            "wait": 2.0,
            "first_byte": 0.2,
            "between_bytes": 0.2,
        }
        registry = registry_of(endpoint, eject_after=8, eject_for=0.05, upstream_keep_alive=0.2, **limits)
        async with asking(registry) as asker:
            recorders: list[Recorder] = []
            for _ in range(6):
                await asyncio.gather(*(one_call(asker, endpoint, chance, recorders) for _ in range(60)))
                stats = asker.stats()
                assert (stats.busy, stats.users, stats.waiting) == (0, 0, 0)
                assert stats.idle <= 8
                asker.upstreams.swap(registry)
            (pool,) = asker.upstreams._pools.values()
            assert pool._retries.active == 0
            assert pool._connecting == set()
            assert sum(recorder.error is None for recorder in recorders) > 100
            assert sum(recorder.error is not None for recorder in recorders) > 20
            await eventually(lambda: asker.upstreams._timer is None)
            assert pool._connections == {}
    assert complaints == []
