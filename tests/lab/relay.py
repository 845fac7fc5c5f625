"""Relays in front of a cloud's services, which stop chosen requests before or behind the service."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from devstack.lab.layout import PORTS

if TYPE_CHECKING:
    from devstack.lab.layout import CloudPlace

PIECE = 65536
SECONDS = 120.0


@dataclass(slots=True)
class Stop:
    """Requests that begin like this go no further."""

    pattern: re.Pattern[bytes]
    after: bool
    """Whether the service gets them, and only its answers are kept."""
    reached: threading.Event = field(default_factory=threading.Event)
    """One is here; with `after`, the service has answered it."""

    def arrives(self) -> None:
        assert self.reached.wait(SECONDS), self.pattern


class Relay:
    """All services of one cloud but Keystone, at another address. As a context manager it serves."""

    def __init__(self, place: CloudPlace, address: str) -> None:
        self.address = address
        self._target = place.address
        self._lock = threading.Lock()
        self._stops: list[Stop] = []
        self._open: set[socket.socket] = set()
        self._ports = {one: PORTS[one] for one in place.services if one != "identity"}
        self._threads: list[threading.Thread] = []
        self._listening: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        for service in self._ports:
            self.accept(service)
        return self

    def __exit__(self, *_: object) -> None:
        for service in tuple(self._listening):
            self.refuse(service)
        self.drop()
        for one in self._threads:
            one.join()

    def stop(self, method: str, path: str, *, after: bool = False) -> Stop:
        """Stop requests of this method whose path (with its query) matches this, until `release`."""
        made = Stop(re.compile(rf"{method} {path} HTTP/1\.1\r\n".encode()), after)
        with self._lock:
            self._stops.append(made)
        return made

    def release(self) -> None:
        """Stop nothing any more. What was stopped is cut off: it goes nowhere."""
        with self._lock:
            self._stops.clear()
        self.drop()

    def refuse(self, service: str) -> None:
        """Nobody listens there any more, as where the service has been stopped."""
        listening = self._listening.pop(service)
        # A plain close() would leave the thread in accept().
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        self.drop()

    def accept(self, service: str) -> None:
        """Listen there (again)."""
        listening = socket.create_server((self.address, self._ports[service]), backlog=64)
        self._listening[service] = listening
        self._begin(self._accept, listening, self._ports[service])

    def drop(self) -> None:
        """Cut every connection."""
        with self._lock:
            open_now = tuple(self._open)
        for one in open_now:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _begin(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket, port: int) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((self._target, port), timeout=SECONDS)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            pair = _Pair(near, far)
            with self._lock:
                self._open |= {near, far}
            self._begin(self._requests, pair)
            self._begin(self._answers, pair)

    def _requests(self, pair: _Pair) -> None:
        try:
            while piece := _read(pair.near):
                # Who has asked waits for the answer, so that a piece begins where a request does.
                found = self._stopped(piece)
                if found is not None and not found.after:
                    found.reached.set()
                    while _read(pair.near):
                        pass
                    return
                pair.kept_by = found or pair.kept_by
                pair.far.sendall(piece)
        except OSError:
            pass
        finally:
            self._over(pair)

    def _answers(self, pair: _Pair) -> None:
        try:
            while piece := _read(pair.far):
                if pair.kept_by is not None:
                    pair.kept_by.reached.set()
                    continue
                pair.near.sendall(piece)
        except OSError:
            pass
        finally:
            self._over(pair)

    def _stopped(self, piece: bytes) -> Stop | None:
        with self._lock:
            return next((one for one in self._stops if one.pattern.match(piece)), None)

    def _over(self, pair: _Pair) -> None:
        """Both ends, when both threads are done with them."""
        for one in (pair.near, pair.far):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            pair.users -= 1
            if pair.users:
                return
            self._open -= {pair.near, pair.far}
        pair.near.close()
        pair.far.close()


@dataclass(slots=True)
class _Pair:
    near: socket.socket
    far: socket.socket
    kept_by: Stop | None = None
    users: int = 2


def _read(one: socket.socket) -> bytes:
    try:
        return one.recv(PIECE)
    except OSError:
        return b""
