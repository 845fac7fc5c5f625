"""What becomes of each request on its way: clouds write down here what they were asked for it.

A request is known everywhere by its id (X-Openstack-Request-Id), which proxies pass on and which holds its
number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.trace.line import Line

MARK = b"req-76697274-7561-4c00-8000-"
"""Begins the ids of replayed requests; twelve hexadecimal digits follow."""
LOOPS = 40
"""The number of the loop stands above so many bits."""


class Entry:
    """One request under way."""

    __slots__ = ("answered", "asked", "cloud", "down", "error", "line", "loop", "path", "stands_for", "up")

    def __init__(self, line: Line, loop: int) -> None:
        self.line = line
        self.loop = loop
        self.asked: dict[str, None] = {}
        """The clouds that it reached, in this order."""
        self.answered = ""
        """The one whose answer was the last that was not an error; else the last of all."""
        self.path = line.path
        """As it was sent."""
        self.stands_for = 0
        """How many bytes its body stands for, where that is more than it has."""
        self.down: dict[str, int] = {}
        """Cloud -> bytes of its answers; likewise `up` of what it was sent."""
        self.up: dict[str, int] = {}
        self.error = ""
        """Code of a proxy's own error …"""
        self.cloud = ""
        """… and the cloud that it was about."""

    @property
    def key(self) -> int:
        """By which it is found."""
        return self.line.n | self.loop << LOOPS

    def reaches(self, cloud: str, size: int) -> None:
        """It came to a cloud, with so many bytes of body."""
        self.asked[cloud] = None
        self.up[cloud] = self.up.get(cloud, 0) + size

    def answers(self, cloud: str, status: int, size: int) -> None:
        """A cloud answers it."""
        self.down[cloud] = self.down.get(cloud, 0) + size
        if status < 400 or not self.answered:
            self.answered = cloud


class Ledger:
    """All that are under way."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}

    def open(self, line: Line, loop: int) -> Entry:
        """Begin to write about a request."""
        entry = Entry(line, loop)
        self._entries[entry.key] = entry
        return entry

    def close(self, entry: Entry) -> None:
        """It is over."""
        self._entries.pop(entry.key, None)

    def find(self, head: bytes) -> Entry | None:
        """The request that a head belongs to."""
        at = head.find(MARK)
        if at < 0:
            return None
        begin = at + len(MARK)
        return self._entries.get(int(head[begin : begin + 12], 16))

    def by_id(self, request_id: str) -> Entry | None:
        """The request of this id."""
        return self.find(request_id.encode())


def request_id(entry: Entry) -> bytes:
    """The id under which it is known everywhere."""
    return b"%b%012x" % (MARK, entry.key)
