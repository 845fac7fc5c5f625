"""Cuts a trace into parts that share no user and no id that the trace itself makes. Pure."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oidproxy.trace.line import Line

ALONE = 255
"""Parts at most."""


class Union:
    """Sets of keys that belong together (union by size, paths halved)."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._parent = array("q")
        self._size = array("q")

    def add(self, key: str) -> int:
        """The number of a key."""
        found = self._number.setdefault(key, len(self._parent))
        if found == len(self._parent):
            self._parent.append(found)
            self._size.append(1)
        return found

    def root(self, number: int) -> int:
        """The number that stands for the set of this one."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(self, one: int, other: int) -> None:
        """They belong together."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return
        if self._size[one] < self._size[other]:
            one, other = other, one
        self._parent[other] = one
        self._size[one] += self._size[other]


def partition(lines: Callable[[], Iterable[Line]], workers: int) -> bytes:
    """The part (from 0) of each request by its number; parts have about equally many.

    `lines` gives the trace, and is called four times. What was there before the trace (an image that every
    user boots from) joins nobody: each part finds it for itself. ValueError: more than 255 workers.
    """
    if not 1 <= workers <= ALONE:
        raise ValueError(f"expected 1 to {ALONE} workers, got {workers}")
    made = {one for line in lines() for one in line.made}
    union = Union()
    weight: dict[int, int] = {}
    count = 0
    for line in lines():
        keys = _keys(line, made)
        first = union.add(keys[0])
        for key in keys[1:]:
            union.join(first, union.add(key))
        count = max(count, line.n + 1)
    for line in lines():
        root = union.root(union.add(_keys(line, made)[0]))
        weight[root] = weight.get(root, 0) + 1
    place = _placed(weight, workers)
    found = bytearray(count)
    for line in lines():
        found[line.n] = place[union.root(union.add(_keys(line, made)[0]))]
    return bytes(found)


def _keys(line: Line, made: set[str]) -> list[str]:
    """Who and what holds this request to others. One of nobody with nothing stands alone."""
    user = [f"user {line.user}"] if line.user else []
    ids = [one for one in (*line.made, *line.used) if one in made]
    return user + ids or [f"request {line.n}"]


def _placed(weight: dict[int, int], workers: int) -> dict[int, int]:
    """The largest set first, each to whoever has least."""
    loads = [0] * workers
    place = {}
    for root, count in sorted(weight.items(), key=lambda item: (-item[1], item[0])):
        least = loads.index(min(loads))
        loads[least] += count
        place[root] = least
    return place
