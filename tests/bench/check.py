"""Before anything is measured: that every candidate sends every request where it belongs, as it should be."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.layout import SERVICES, address
from tests.bench.processes import BenchError
from tests.bench.reading import Wrong, body_of
from tests.bench.traffic import HOME, Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.bench.candidates import Candidate

_CLOSED = "oid1~"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a candidate's answers."""

    mean: float
    """Of whole answers, heads included: what wrk counts."""
    bodies: frozenset[int]


class Client:
    """Asks on one connection, one request after the other."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), 20)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """How long the whole answer is, and its body. Raises BenchError."""
        self._socket.sendall(request)
        data = b""
        try:
            while (body := body_of(data)) is None:
                piece = self._socket.recv(65536)
                if not piece:
                    raise BenchError(f"closed after {data[:200]!r}")
                data += piece
        except Wrong as wrong:
            raise BenchError(f"{wrong} to {request[:200]!r}") from None
        return len(data), body

    def close(self) -> None:
        """Done."""
        self._socket.close()


def decisions(candidate: Candidate, calls: Sequence[Call]) -> None:
    """Against clouds that echo. Raises BenchError that names the first difference."""
    client = Client(candidate.host, candidate.port)
    try:
        for call, request in zip(calls, candidate.requests(calls), strict=True):
            _, body = client.ask(request)
            wrong = difference(candidate, call, body.decode("latin-1"))
            if wrong:
                raise BenchError(f"{candidate.name}, {call.service}{call.path}: {wrong}")
    finally:
        client.close()


def difference(candidate: Candidate, call: Call, echoed: str) -> str:
    """What a cloud saw that it should not have, or not; empty where all is well."""
    where, path, token, scope, service_token = echoed.split("\n")
    meant = call.cloud if candidate.routes else HOME
    expected = f"{address(meant)}:{SERVICES[call.service]}"
    if candidate.name == "direct":
        return ""
    if where != expected:
        return f"went to {where} instead of {expected}"
    if path != call.path:
        return f"asked for {path}"
    if scope or service_token:
        return f"the cloud saw the scope {scope or service_token}"
    return _token_difference(candidate, call, token)


def _token_difference(candidate: Candidate, call: Call, token: str) -> str:
    if candidate.name == "nginx":
        return "" if token.startswith(call.token) else "another token came"
    if not candidate.name.startswith("oidproxy"):
        return "" if token == call.token else f"the token came as {token}"
    if call.cloud == HOME:
        return "" if token.startswith(call.token) else "the home got no sealed token"
    closed = token.startswith(_CLOSED) and call.token not in token
    return "" if closed else "a token came open to a cloud that is not its home"


def sizes(candidate: Candidate, requests: Iterable[bytes]) -> Sizes:
    """Against the clouds that are measured with: how long answers are. Raises BenchError."""
    client = Client(candidate.host, candidate.port)
    total, count, bodies = 0, 0, set()
    try:
        for request in requests:
            length, body = client.ask(request)
            total, count = total + length, count + 1
            bodies.add(len(body))
    finally:
        client.close()
    return Sizes(total / count, frozenset(bodies))
