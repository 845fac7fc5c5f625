"""Names are asked again within 30 s, once for all who ask, and a silent name server breaks nothing."""

from __future__ import annotations

import asyncio
import socket

import pytest

from oidproxy.upstream.resolving import Resolver, is_address
from tests.upstream.asking import asking, endpoint_at, eventually, registry_of, request_to
from tests.upstream.service import OK, Peer, Service, answering, serving


class Names:
    """A name server whose answers a test sets."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self.answer = asyncio.Event()
        self.answer.set()

    async def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        await self.answer.wait()
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self.addresses


def resolver_of(names: Names, ttl: float = 30.0) -> Resolver:
    return Resolver(asyncio.get_running_loop(), lookup=names, ttl=ttl)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1"])
async def test_an_address_is_asked_of_nobody(address):
    names = Names()
    assert await resolver_of(names).addresses(address) == (address,)
    assert names.asked == []


async def test_an_answer_is_remembered():
    names = Names("127.0.0.1", "127.0.0.2")
    resolver = resolver_of(names)
    for _ in range(3):
        assert await resolver.addresses("cloud.example") == ("127.0.0.1", "127.0.0.2")
    assert names.asked == ["cloud.example"]


async def test_e9_an_old_answer_is_asked_for_again():
    names = Names("127.0.0.1")
    resolver = resolver_of(names, ttl=0.05)
    await resolver.addresses("cloud.example")
    names.addresses = ("127.0.0.2",)
    await asyncio.sleep(0.06)
    assert await resolver.addresses("cloud.example") == ("127.0.0.2",)


async def test_many_who_ask_at_once_are_one_question_and_each_may_leave():
    names = Names("127.0.0.1")
    names.answer.clear()
    resolver = resolver_of(names)
    askers = [asyncio.create_task(resolver.addresses("cloud.example")) for _ in range(5)]
    await asyncio.sleep(0)
    askers[0].cancel()
    names.answer.set()
    answers = await asyncio.gather(*askers, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [("127.0.0.1",)] * 4
    assert names.asked == ["cloud.example"]


async def test_a_name_server_that_fails_leaves_the_last_answer_in_use():
    names = Names("127.0.0.1")
    resolver = resolver_of(names, ttl=0.02)
    await resolver.addresses("cloud.example")
    names.addresses = ()
    await asyncio.sleep(0.03)
    assert await resolver.addresses("cloud.example") == ("127.0.0.1",)
    with pytest.raises(OSError, match="unknown host"):
        await resolver.addresses("other.example")


async def test_the_system_is_asked_by_default():
    resolver = Resolver(asyncio.get_running_loop())
    assert set(await resolver.addresses("localhost")) <= {"127.0.0.1", "::1"}
    await resolver.close()


async def test_closing_asks_nothing_any_more():
    names = Names("127.0.0.1")
    names.answer.clear()
    resolver = resolver_of(names)
    assert resolver.current("cloud.example") is None
    await asyncio.sleep(0)
    await resolver.close()
    assert resolver._asking == {}


def test_what_is_an_address():
    assert is_address("10.0.0.1")
    assert is_address("::1")
    assert not is_address("cloud.example")


@pytest.mark.parametrize("addresses", [("127.77.0.1", "127.77.0.2"), ("127.77.0.2", "127.77.0.1")])
async def test_every_address_is_tried_until_one_takes_the_connection(addresses):
    async with serving(answering(OK), host="127.77.0.2") as service:
        endpoint = endpoint_at(service.port, host="cloud.example")
        names = Names(*addresses)
        async with asking(registry_of(endpoint), resolver=resolver_of(names)) as asker:
            assert (await asker.ask(request_to(endpoint))).body == b"ok"
            assert b"Host: cloud.example:" in service.heads[0]


async def test_e9_a_cloud_that_moved_is_found_though_its_connections_never_idle():
    ended: list[str] = []

    async def script(service: Service, peer: Peer) -> None:
        while True:
            service.heads.append(await peer.head())
            await peer.send(OK)

    async with serving(script, host="127.77.1.1") as old:
        new = Service(script, host="127.77.1.2", port=old.port)
        await new.begin()
        try:
            endpoint = endpoint_at(old.port, host="cloud.example")
            names = Names("127.77.1.1")
            async with asking(registry_of(endpoint), resolver=resolver_of(names, ttl=0.1)) as asker:
                await asker.ask(request_to(endpoint))
                names.addresses = ("127.77.1.2",)

                async def moved() -> None:
                    while not new.heads:
                        await asker.ask(request_to(endpoint))
                        await asyncio.sleep(0.01)

                await asyncio.wait_for(moved(), 2)
                await eventually(old.peers[0].reader.at_eof)
                ended.append("old")
        finally:
            await new.stop()
    assert ended == ["old"]
