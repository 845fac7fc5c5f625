"""The memcached that all clouds of the lab share, read as whoever reaches it can: it asks for no password."""

from __future__ import annotations

import hashlib
import json
import socket
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from devstack.lab.cache import PORT

if TYPE_CHECKING:
    from devstack.lab.layout import CloudPlace, Lab

PREFIX = "tokens/"
"""What keystonemiddleware puts before its keys."""


def is_shared(place: CloudPlace) -> bool:
    """Whether the services of this cloud keep tokens there."""
    return "memcached_servers" in (place.etc / "glance-api.conf").read_text()


def forget(lab: Lab, *tokens: str) -> None:
    """Have the services of all clouds ask about these tokens when they see them next.

    Where clouds share a cache, what one of them has just been told another one believes: for a token that is
    presented to it past the proxy that is the answer to another question.
    """
    if is_shared(lab.cloud(1)):
        with SharedCache(lab) as cache:
            for token in tokens:
                cache.forget(token)


def name(token: str) -> str:
    """Under what keystonemiddleware keeps a token, where it is not told to protect its cache."""
    return PREFIX + hashlib.sha256(token.encode()).hexdigest()


class SharedCache:
    """One connection (memcached's doc/protocol.txt); as a context manager it is closed with its block."""

    def __init__(self, lab: Lab) -> None:
        self._socket = socket.create_connection((lab.infrastructure, PORT), timeout=10)
        self._file = self._socket.makefile("rwb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def names(self) -> set[str]:
        """What is kept of tokens."""
        self._say("lru_crawler metadump all")
        found = set()
        while not (line := self._file.readline()).startswith((b"END", b"BUSY", b"ERROR")):
            # memcached writes keys percent-encoded here, and nowhere else.
            found.add(unquote(line.split(b" ", 1)[0].removeprefix(b"key=").decode()))
        assert line.startswith(b"END"), line
        return {one for one in found if one.startswith(PREFIX)}

    def get(self, key: str) -> Any:
        """What is kept there of a token; None if nothing is."""
        self._say(f"get {key}")
        line = self._file.readline().split()
        if line[0] == b"END":
            return None
        data = self._file.read(int(line[3]) + 2)
        assert self._file.readline() == b"END\r\n"
        return json.loads(data)

    def forget(self, token: str) -> None:
        self._say(f"delete {name(token)}")
        self._file.readline()

    def _say(self, line: str) -> None:
        self._file.write(f"{line}\r\n".encode())
        self._file.flush()
