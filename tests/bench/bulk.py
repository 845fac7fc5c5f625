"""Large bodies through a candidate, both ways, and every byte counted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.bench.layout import BULK_CLOUD, BULK_HOST, BULK_PATH, SERVICES
from tests.bench.processes import ROOT, BenchError, pinned
from tests.bench.traffic import HOME, MARK, cloud

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.bench.candidates import Candidate

PIECE = 1 << 20
GIB = 1 << 30


def head(candidate: Candidate, method: str, size: int) -> bytes:
    """The request's head; the scope names the cloud that holds the image."""
    token = bulk_token(candidate)
    path = BULK_PATH if candidate.name == "direct" else f"/image{BULK_PATH}"
    length = f"Content-Length: {size}\r\n" if method == "PUT" else ""
    return (
        f"{method} {path}?size={size} HTTP/1.1\r\nHost: {candidate.host}:{candidate.port}\r\n"
        f'X-Auth-Token: {token}\r\nX-Scope: {{"image": "{BULK_CLOUD}"}}\r\n'
        f"Content-Type: application/octet-stream\r\n{length}\r\n"
    ).encode()


def bulk_token(candidate: Candidate) -> str:
    """A token of the home, in this candidate's form; without MARK, since X-Scope says it all."""
    from oidproxy.scope.tree import NO_SCOPE
    from oidproxy.tokens.sealed import seal

    bare = "gAAAAAB" + "b" * 173
    assert MARK not in bare
    return seal(bare, cloud(HOME), NO_SCOPE) if candidate.name.startswith("oidproxy") else bare


def place(candidate: Candidate) -> tuple[str, int]:
    """Where the bodies go: for `direct`, to the image service itself."""
    if candidate.name == "direct":
        return BULK_HOST, SERVICES["image"]
    return candidate.host, candidate.port


def transfer(candidate: Candidate, method: str, size: int, times: int, cores: Iterable[int]) -> float:
    """Send or fetch so many bodies, in a process of its own; the seconds. BenchError if one is short."""
    host, port = place(candidate)
    argv = [sys.executable, "-m", "tests.bench.bulk", host, str(port), method, str(size), str(times)]
    done = subprocess.run(
        pinned(argv, cores),
        input=head(candidate, method, size),
        capture_output=True,
        timeout=300,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"{candidate.name}: {method}: {done.stderr.decode(errors='replace')[-400:]}")
    return float(done.stdout)


def _download(connection: socket.socket, size: int) -> None:
    got, body = _answer_head(connection, b"HTTP/1.1 200 ")
    if got != size:
        raise BenchError(f"{got} bytes are announced")
    buffer = bytearray(PIECE)
    came = len(body)
    while came < size:
        more = connection.recv_into(buffer)
        if not more:
            raise BenchError(f"cut after {came} of {size} bytes")
        came += more


def _upload(connection: socket.socket, size: int) -> None:
    blank = bytes(PIECE)
    left = size
    while left:
        left -= connection.send(blank if left >= PIECE else blank[:left])
    length, body = _answer_head(connection, b"HTTP/1.1 201 ")
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise BenchError("the answer was cut")
        body += piece
    if int(body) != size:
        raise BenchError(f"{body!r} of {size} bytes came")


def _answer_head(connection: socket.socket, status: bytes) -> tuple[int, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise BenchError("no answer")
        data += piece
    answer, _, body = data.partition(b"\r\n\r\n")
    if not answer.startswith(status):
        raise BenchError(f"answered {answer[:60]!r}")
    fields = dict(line.lower().split(b":", 1) for line in answer.split(b"\r\n")[1:])
    return int(fields[b"content-length"]), body


def main() -> None:
    """The head comes on standard input; how long it all took goes to standard output."""
    host, port, method, size, times = sys.argv[1:]
    wanted = sys.stdin.buffer.read()
    begin = time.perf_counter()
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(int(times)):
            connection.sendall(wanted)
            (_download if method == "GET" else _upload)(connection, int(size))
    os.write(1, b"%f" % (time.perf_counter() - begin))


if __name__ == "__main__":
    main()
