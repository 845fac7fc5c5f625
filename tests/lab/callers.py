"""Which process of the lab holds which port, seen in /proc while connections are open."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from devstack.lab.services import all_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstack.lab.layout import Lab
    from tests.lab.wiretap import Spot

OURSELVES = "user"
SECONDS = 0.01


class Callers:
    """Looks, as long as its block lasts, who opens connections to these addresses.

    A connection that came and went between two looks has no name.
    """

    def __init__(self, lab: Lab, *addresses: str) -> None:
        # Each was started in a session of its own, where its workers are too.
        sessions = {one.process.pid: one.name for place in lab.made() for one in all_of(lab, place)}
        self._processes = {pid: name for pid in _pids() if (name := sessions.get(os.getsid(pid)))}
        self._addresses = {struct.unpack("=I", socket.inet_aton(one))[0] for one in addresses}
        self._inodes: dict[int, str] = {}
        # By both ends: one port may lead to several addresses at once, also from several processes.
        self._names: dict[tuple[Spot, Spot], str] = {}
        self._ending = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def name(self, source: Spot, target: Spot) -> str:
        """The service's name, or `user`; empty where nobody was seen."""
        return self._names.get((source, target), "")

    def _look(self) -> None:
        while not self._ending.wait(SECONDS):
            seen = dict(self._connections())
            if any(inode not in self._inodes for inode in seen.values()):
                self._inodes = dict(self._sockets())
            for ends, inode in seen.items():
                if name := self._inodes.setdefault(inode, ""):
                    self._names[ends] = name

    def _connections(self) -> Iterator[tuple[tuple[Spot, Spot], int]]:
        """Who is connected to our addresses, by the inode of the socket (proc(5), net/tcp)."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            remote, inode = int(fields[2].partition(":")[0], 16), int(fields[9])
            if inode and remote in self._addresses:
                yield (_spot(fields[1]), _spot(fields[2])), inode

    def _sockets(self) -> Iterator[tuple[int, str]]:
        for pid, name in (*self._processes.items(), (os.getpid(), OURSELVES)):
            for inode in _held(pid):
                yield inode, name


def _spot(shown: str) -> Spot:
    address, _, port = shown.partition(":")
    return socket.inet_ntoa(struct.pack("=I", int(address, 16))), int(port, 16)


def _pids() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(ProcessLookupError):
                os.getsid(int(entry.name))
                yield int(entry.name)


def _held(pid: int) -> Iterator[int]:
    """The inodes of a process's sockets; files are closed and processes end while one looks."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                shown = os.readlink(entry)
                if shown.startswith("socket:["):
                    yield int(shown[8:-1])
