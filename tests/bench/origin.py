"""What nginx cannot be for the clouds: the Keystone that tokens are asked of, and large bodies both ways.

Run as `python -m tests.bench.origin`. Lean, so that it takes little of the core that it shares with the
clients: the Keystone answers prepared bytes, and bodies are moved by threads that wait in the kernel.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from datetime import UTC, datetime, timedelta

import uvloop

from tests.bench.layout import BULK_HOST, KEYSTONE_PORT, SERVICES, address
from tests.bench.traffic import HOME

PIECE = 1 << 20
SOCKET_BUFFER = 1 << 20
_BLANK = bytes(PIECE)


def token_answer() -> bytes:
    """What the Keystone says of any token: a member, for some hours."""
    now = datetime.now(UTC)
    moment = "%Y-%m-%dT%H:%M:%S.000000Z"
    domain = {"id": "default", "name": "Default"}
    body = json.dumps(
        {
            "token": {
                "methods": ["password"],
                "user": {"id": "6d1e3c0a9b8f4e5d8c7b6a5f4e3d2c1b", "name": "demo", "domain": domain},
                "project": {"id": "5f2d8c1e7a9b4c3d8e6f0a1b2c3d4e5f", "name": "demo", "domain": domain},
                "roles": [{"id": "9fe2ff9ee4384b1894a90878d3e92bab", "name": "member"}],
                "is_domain": False,
                "audit_ids": ["3T2dc1CGQxyJsHdDu1xkcw"],
                "issued_at": now.strftime(moment),
                "expires_at": (now + timedelta(hours=8)).strftime(moment),
            }
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Keystone(asyncio.Protocol):
    """Answers each head with the same bytes; its requests have no bodies."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._rest = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        if heads:
            self._transport.write(self._answer * len(heads))


def serve_bulk(listening: socket.socket) -> None:
    """A thread for each connection, for ever."""
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        while True:
            head, rest = _head(connection, rest)
            if not head:
                return
            answer = _download if head.startswith(b"GET ") else _upload
            rest = answer(connection, head, rest)


def _head(connection: socket.socket, rest: bytes) -> tuple[bytes, bytes]:
    while b"\r\n\r\n" not in rest:
        piece = connection.recv(65536)
        if not piece:
            return b"", b""
        rest += piece
    head, _, rest = rest.partition(b"\r\n\r\n")
    return head, rest


def _download(connection: socket.socket, head: bytes, rest: bytes) -> bytes:
    """As many bytes as the last segment of the path says."""
    size = int(head.split(b" ", 2)[1].partition(b"?")[2].partition(b"=")[2])
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % size
    )
    left = size
    while left:
        left -= connection.send(_BLANK if left >= PIECE else _BLANK[:left])
    return rest


def _upload(connection: socket.socket, head: bytes, rest: bytes) -> bytes:
    """Answers how many bytes came."""
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    size = int(fields[b"content-length"])
    buffer = bytearray(PIECE)
    came = len(rest)
    while came < size:
        got = connection.recv_into(buffer)
        if not got:
            return b""
        came += got
    said = b"%d" % came
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
    return b""


async def main() -> None:
    """Serve until killed."""
    answer = token_answer()
    bulk = socket.create_server((BULK_HOST, SERVICES["image"]), backlog=512)
    threading.Thread(target=serve_bulk, args=(bulk,), daemon=True).start()
    server = await asyncio.get_running_loop().create_server(
        lambda: Keystone(answer), address(HOME), KEYSTONE_PORT, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
