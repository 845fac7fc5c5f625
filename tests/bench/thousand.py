"""A thousand image services in one lean process: 20 rows each, after 20 ms; and the Keystone of the first.

Run as `python -m tests.bench.thousand`. SIGUSR1 takes the last cloud away (nobody listens there and what was
open is broken), SIGUSR2 brings it back. Rows are written once; what a page of them needs is put together of
the same bytes, so that the process costs as little as an upstream in Python can.
"""

from __future__ import annotations

import asyncio
import resource
import signal
from functools import lru_cache, partial
from urllib.parse import parse_qs
from uuid import UUID

import uvloop

from tests.bench.origin import Keystone, token_answer

CLOUDS = 1_000
ITEMS = 20
DELAY = 0.020
ROW = 394
"""Bytes of a row: 20 of them and what is around them are the 7.9 KB that fan-outs were measured with."""
IMAGE_PORT = 9292
KEYSTONE_PORT = 5000
HOME = 1
DEAD = CLOUDS
"""The one that SIGUSR1 takes away."""
ANSWERS = 5_000


def name(number: int) -> str:
    """Of a cloud, counted from 1."""
    return f"cloud-{number}"


def address(number: int) -> str:
    """Of a cloud, within 127.62.0.0/16; 250 to a /24."""
    return f"127.62.{(number - 1) // 250}.{(number - 1) % 250 + 1}"


def identity(number: int, place: int) -> str:
    """The id of a row; places count from the newest."""
    return str(UUID(int=(number * 7919 + place * 104_729) << 64 | number << 16 | place, version=4))


@lru_cache(maxsize=CLOUDS)
def rows(number: int) -> tuple[bytes, ...]:
    """A cloud's images as its list has them: newest first, no two clouds' at the same second."""
    return tuple(_row(number, place) for place in range(ITEMS))


def _row(number: int, place: int) -> bytes:
    seconds = 86_399 - place * 4_000 - number * 4
    moment = f"2026-03-01T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"
    one = identity(number, place)
    row = (
        f'{{"id": "{one}", "name": "image-{place:02}", "status": "active", "visibility": "public", '
        f'"created_at": "{moment}", "updated_at": "{moment}", "size": 21430272, "disk_format": "qcow2", '
        f'"container_format": "bare", "min_disk": 0, "min_ram": 0, "tags": [], "self": "/v2/images/{one}", '
        '"os_distro": "'
    )
    return f'{row}{"x" * (ROW - len(row) - 2)}"}}'.encode()


@lru_cache(maxsize=ANSWERS)
def answer(number: int, target: bytes) -> bytes:
    """A whole answer to a target."""
    path, _, query = target.partition(b"?")
    if path != b"/v2/images":
        return _whole(rows(number)[0])
    asked = parse_qs(query.decode())
    marker = asked.get("marker", [""])[-1]
    after = [place for place in range(ITEMS) if identity(number, place) == marker]
    begin = after[0] + 1 if after else 0
    end = min(begin + int(asked.get("limit", [str(ITEMS)])[-1]), ITEMS)
    more = b""
    if end < ITEMS:
        more = f', "next": "/v2/images?marker={identity(number, end - 1)}"'.encode()
    shown = b", ".join(rows(number)[begin:end])
    return _whole(b'{"images": [' + shown + b'], "first": "/v2/images"' + more + b"}")


def _whole(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Images(asyncio.Protocol):
    """One connection to one cloud's image service."""

    def __init__(self, number: int, connections: set[Images]) -> None:
        self._number = number
        self._connections = connections
        self._rest = b""
        self._later = asyncio.get_running_loop().call_later

    def connection_made(self, transport):
        self._connections.add(self)
        self.transport = transport

    def connection_lost(self, error):
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            target = head.split(b" ", 2)[1]
            self._later(DELAY, self.transport.write, answer(self._number, target))


class Upstream:
    """All of the listeners."""

    def __init__(self) -> None:
        self._dying: set[Images] = set()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Everywhere, with every row written."""
        loop = asyncio.get_running_loop()
        for number in range(1, CLOUDS + 1):
            rows(number)
            if number != DEAD:
                await loop.create_server(partial(Images, number, set()), address(number), IMAGE_PORT)
        await self.bring_back()
        keystone = token_answer()
        await loop.create_server(lambda: Keystone(keystone), address(HOME), KEYSTONE_PORT)

    async def bring_back(self) -> None:
        """Let the last one listen."""
        loop = asyncio.get_running_loop()
        made = partial(Images, DEAD, self._dying)
        self._server = self._server or await loop.create_server(made, address(DEAD), IMAGE_PORT)

    def take_away(self) -> None:
        """Let the last one be dead."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for one in tuple(self._dying):
            one.transport.abort()


async def main() -> None:
    """Serve until killed."""
    loop, upstream = asyncio.get_running_loop(), Upstream()
    coming: set[asyncio.Task[None]] = set()
    await upstream.listen()
    loop.add_signal_handler(signal.SIGUSR1, upstream.take_away)
    loop.add_signal_handler(signal.SIGUSR2, lambda: coming.add(loop.create_task(upstream.bring_back())))
    await asyncio.Event().wait()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    uvloop.run(main())
