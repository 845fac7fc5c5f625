"""Idle connections: opened, used once, held; and what each costs in memory.

Run as `python -m tests.bench.idle HOST PORT COUNT` with a request on standard input; says `held` when all
are, and lets go when its standard input ends. All of them are asked once more before that.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.bench.processes import ROOT, BenchError, pinned
from tests.bench.reading import body_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.bench.candidates import Candidate


@contextmanager
def held(candidate: Candidate, request: bytes, count: int, cores: Iterable[int]) -> Iterator[None]:
    """Hold connections during the block; afterwards each must still answer. Raises BenchError."""
    argv = [sys.executable, "-m", "tests.bench.idle", candidate.host, str(candidate.port), str(count)]
    process = subprocess.Popen(
        pinned(argv, cores),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(struct.pack("!I", len(request)) + request)
        process.stdin.flush()
        if process.stdout.readline() != b"held\n":
            raise BenchError(f"{candidate.name}: idle connections: {_said(process)}")
        yield
        process.stdin.write(b"\n")
        process.stdin.flush()
        if process.stdout.readline() != b"answered\n":
            raise BenchError(f"{candidate.name}: held connections do not answer: {_said(process)}")
    finally:
        process.kill()
        process.communicate()


def _said(process: subprocess.Popen[bytes]) -> str:
    process.kill()
    return process.communicate()[1].decode(errors="replace")[-400:]


def _ask(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    data = b""
    while body_of(data) is None:
        piece = connection.recv(65536)
        if not piece:
            raise BenchError(f"closed after {len(data)} bytes")
        data += piece


def main() -> None:
    """Open, hold, ask again."""
    host, port, count = sys.argv[1:]
    given = sys.stdin.buffer
    request = given.read(struct.unpack("!I", given.read(4))[0])
    connections = []
    for _ in range(int(count)):
        one = socket.create_connection((host, int(port)), 20)
        # Closed by a reset, it leaves nothing in TIME_WAIT for the next round (socket(7), SO_LINGER).
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        _ask(one, request)
        connections.append(one)
    os.write(1, b"held\n")
    if not given.readline():
        return
    for one in connections:
        _ask(one, request)
    os.write(1, b"answered\n")
    given.read()


if __name__ == "__main__":
    main()
