"""A client that asks for long lists and measures: from the first byte sent to the last one received."""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass

from tests.bench.processes import BenchError

PIECE = 1 << 20
PATIENCE = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list as it came."""

    seconds: float
    first: float
    """Seconds until its first byte."""
    status: int
    fields: dict[str, str]
    """By lower-case name."""
    body: bytes

    def document(self) -> dict:
        """The body. Raises BenchError."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BenchError(f"no JSON ({error}): {self.body[:200]!r} … {self.body[-200:]!r}") from None

    @property
    def answered(self) -> int:
        """Clouds that X-Scope-Clouds counts as answered."""
        found = re.search(r"\bok=(\d+)", self.fields.get("x-scope-clouds", ""))
        return int(found[1]) if found else -1


class Asker:
    """Asks on one connection, one request after the other."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._socket = socket.create_connection(self._place, 20)
        self._socket.settimeout(PATIENCE)
        self._buffer = bytearray(PIECE)

    def ask(self, request: bytes) -> Listed:
        """The answer. Raises BenchError where none comes whole."""
        begin = time.perf_counter()
        self._socket.sendall(request)
        head, rest, first = self._head(begin)
        body = self._body(head, rest)
        seconds = time.perf_counter() - begin
        lines = head.decode("latin-1").split("\r\n")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        return Listed(seconds, first, int(lines[0].split(" ")[1]), fields, body)

    def _receive(self) -> bytes:
        try:
            count = self._socket.recv_into(self._buffer)
        except TimeoutError:
            raise BenchError(f"no answer after {PATIENCE:g} s") from None
        if not count:
            raise BenchError("the connection was closed before an answer's end")
        return bytes(memoryview(self._buffer)[:count])

    def _head(self, begin: float) -> tuple[bytes, bytes, float]:
        data = self._receive()
        first = time.perf_counter() - begin
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest, first

    def _body(self, head: bytes, rest: bytes) -> bytes:
        length = _LENGTH.search(head)
        pieces, came = [rest], len(rest)
        if length is not None:
            while came < int(length[1]):
                pieces.append(self._receive())
                came += len(pieces[-1])
            return b"".join(pieces)
        if _CHUNKED.search(head) is None:
            raise BenchError(f"an answer without a length: {head!r}")
        tail = rest[-7:]
        while not (tail.endswith(b"\r\n0\r\n\r\n") or rest == b"0\r\n\r\n"):
            pieces.append(self._receive())
            tail = (tail + pieces[-1])[-7:]
        return _unchunked(b"".join(pieces))

    def close(self) -> None:
        """Done."""
        self._socket.close()


def _unchunked(data: bytes) -> bytes:
    pieces, at = [], 0
    while True:
        line = data.index(b"\r\n", at)
        size = int(data[at:line].partition(b";")[0], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(data[line + 2 : line + 2 + size])
        at = line + 4 + size
