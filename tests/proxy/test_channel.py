"""What travels between the parent and its workers arrives as it was."""

from __future__ import annotations

import asyncio
import socket

import pytest

from oidproxy.clouds.loading.load import load
from oidproxy.proxy.channel import Counted, Drain, Learned, Ready, Reload, Reloaded, Start, pack, receive
from tests.wire.rig import configuration


@pytest.fixture
def registry(tmp_path):
    path = tmp_path / "oidproxy.yaml"
    path.write_text(configuration("127.0.0.1", 8888, "127.9.9.9"))
    return load(path)


async def through(data: bytes) -> list[object]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    with theirs:
        theirs.sendall(data)
    got: list[object] = []
    while (message := await receive(reader)) is not None:
        got.append(message)
    writer.close()
    await writer.wait_closed()
    return got


async def test_a_registry_arrives_whole_and_read_only(registry):
    sent = [Start(registry, 1, "oidproxy-x", "-", 2, "/state.db"), Reload(registry, 2)]
    got = await through(b"".join(map(pack, sent)))
    assert got == sent
    with pytest.raises(TypeError):
        got[0].registry.clouds["other"] = None


async def test_every_message_arrives_as_it_was():
    counted, learned = Counted({"a_total": {(("cloud", "x"),): 2}}), Learned({"x": b"12345678"})
    sent = [Drain(), Ready(), Reloaded(3, "why"), counted, learned]
    assert await through(b"".join(map(pack, sent))) == sent


async def test_a_message_cut_short_is_the_end():
    assert await through(pack(Drain())[:-1]) == []


def test_no_secret_shows_in_what_is_logged_of_a_message(registry):
    assert "clouds" not in repr(Start(registry, 1, "oidproxy-x", "-", 2, "/state.db"))
