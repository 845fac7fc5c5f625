"""Open-loop load: each request is due at a moment of its own, and its latency counts from that moment.

Run as a process: `python -m tests.bench.openloop`, which reads its order as JSON from standard input. Written
straight upon epoll: it shares its core with the clouds. Requests are due at random moments (a Poisson process
with a fixed seed, the same for everybody); one that finds no free connection waits, and its clock runs.
"""

from __future__ import annotations

import ctypes
import gc
import json
import random
import select
import socket
import sys
import time
from array import array
from collections import deque
from pathlib import Path

from tests.bench.reading import Wrong, body_of

_PR_SET_TIMERSLACK = 29
PATIENCE = 10.0
"""Seconds after the last request is due; an answer that is not there by then has failed."""


class _Connection:
    __slots__ = ("due", "got", "number", "socket")

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = 0.0
        self.number = 0
        self.got = b""


class OpenLoop:
    """One run against one address. `sizes` are the lengths of body that an answer may have."""

    def __init__(
        self, host: str, port: int, requests: list[bytes], connections: int, sizes: frozenset[int]
    ) -> None:
        self._place = host, port
        self._requests = requests
        self._sizes = sizes
        self._epoll = select.epoll()
        self._all: dict[int, _Connection] = {}
        self._free: deque[_Connection] = deque()
        for _ in range(connections):
            self._connect()
        self.latencies = array("d")
        self.moments = array("d")
        self.lags = array("d")
        self.failures: list[str] = []

    def run(self, rate: float, seconds: float, seed: int = 1) -> None:
        """Send for so long, and wait for what is under way."""
        due = schedule(rate, seconds, seed)
        _precise_timers()
        gc.disable()
        now = time.perf_counter
        begin = now() + 0.05
        waiting: deque[tuple[float, int]] = deque()
        at, total = 0, len(due)
        end = begin + seconds + PATIENCE
        while at < total or waiting or len(self._free) < len(self._all):
            moment = now()
            if moment > end:
                self.failures.append(f"{len(self._all) - len(self._free) + len(waiting)} without an answer")
                break
            while at < total and begin + due[at] <= moment:
                if self._free:
                    # Else the request has to wait for a connection, and being late is not the generator's.
                    self.lags.append(moment - begin - due[at])
                waiting.append((begin + due[at], at))
                at += 1
            while waiting and self._free:
                self._send(*waiting.popleft())
            # epoll counts milliseconds only; select on its descriptor, microseconds.
            pause = max(0.0, begin + due[at] - now()) if at < total and self._free else 0.05
            if select.select([self._epoll], (), (), pause)[0]:
                for descriptor, _ in self._epoll.poll(0):
                    self._receive(self._all[descriptor], begin)

    def _connect(self) -> None:
        one = _Connection(*self._place)
        self._all[one.socket.fileno()] = one
        self._epoll.register(one.socket, select.EPOLLIN)
        self._free.append(one)

    def _send(self, due: float, number: int) -> None:
        one = self._free.popleft()
        one.due, one.number, one.got = due, number, b""
        request = self._requests[number % len(self._requests)]
        try:
            if one.socket.send(request) != len(request):
                self._fail(one, "a request did not go out whole")
        except OSError as error:
            self._fail(one, f"sending: {error}")

    def _receive(self, one: _Connection, begin: float) -> None:
        try:
            data = one.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(one, f"receiving: {error}")
            return
        if not data:
            self._fail(one, "closed")
            return
        one.got = data = one.got + data
        try:
            body = body_of(data)
        except (Wrong, ValueError) as error:
            self._fail(one, str(error)[:80])
            return
        if body is None:
            return
        if len(body) not in self._sizes:
            self._fail(one, f"an answer of {len(body)} bytes")
            return
        self.latencies.append(time.perf_counter() - one.due)
        self.moments.append(one.due - begin)
        self._free.append(one)

    def _fail(self, one: _Connection, why: str) -> None:
        """Counted only where an answer was awaited: between requests a server may close."""
        if one not in self._free:
            self.failures.append(why)
        else:
            self._free.remove(one)
        descriptor = one.socket.fileno()
        self._epoll.unregister(descriptor)
        del self._all[descriptor]
        one.socket.close()
        self._connect()


def schedule(rate: float, seconds: float, seed: int) -> list[float]:
    """When requests are due."""
    chance = random.Random(seed)
    moments = []
    moment = chance.expovariate(rate)
    while moment < seconds:
        moments.append(moment)
        moment += chance.expovariate(rate)
    return moments


def _precise_timers() -> None:
    """A sleep of a normal process may take 50 us longer (prctl(2), PR_SET_TIMERSLACK)."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def read_requests(path: Path) -> list[bytes]:
    """What `wrk.write_requests` wrote."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size = int(data[at : at + 8], 16)
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return found


def main() -> None:
    """Do as told on standard input; the result is JSON on standard output."""
    order = json.load(sys.stdin)
    loop = OpenLoop(
        order["host"],
        order["port"],
        read_requests(Path(order["requests"])),
        order["connections"],
        frozenset(order["sizes"]),
    )
    loop.run(order["rate"], order["seconds"], order["seed"])
    result = {
        "failures": len(loop.failures),
        "reasons": sorted(set(loop.failures))[:5],
        "latencies": list(loop.latencies),
        "moments": list(loop.moments) if order.get("moments") else [],
        "lags": list(loop.lags),
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
