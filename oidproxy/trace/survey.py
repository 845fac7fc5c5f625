"""What a trace holds, read once before it is replayed: who, how long, and what was there before it. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from oidproxy.trace import bodies, kinds
from oidproxy.trace.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oidproxy.trace.line import Line

SERVICES_OWN = "calls that services make among each other: they make them again themselves"
PROXYS_OWN = "what the proxy answers itself"

_EVENTS = "os-server-external-events"


@dataclass(slots=True)
class Survey:
    """One trace."""

    requests: int = 0
    """Those that are replayed."""
    begins: int = 0
    ends: int = 0
    """`Line.at` of the first and the last of them."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Why -> how many."""
    users: dict[tuple[str, str], str] = field(default_factory=dict)
    """User and recorded scope -> home."""
    asks: set[tuple[str, str, str]] = field(default_factory=set)
    """User, recorded scope and service, of everybody who asks for something."""
    wanted: dict[tuple[str, Kind], str] = field(default_factory=dict)
    """Recorded scope and kind, of what was there before the trace -> a user who uses such things."""
    inferred: dict[int, list[str]] = field(default_factory=dict)
    """Request -> the ids that it must have made, where the trace does not tell: told from the order."""


def left_out(line: Line) -> str:
    """Why a request is no part of a replay; "" if it is."""
    if line.caller or (not line.user and line.listener):
        return SERVICES_OWN
    if line.service == "placement" or line.path.endswith(_EVENTS):
        return SERVICES_OWN
    return "" if line.service else PROXYS_OWN


def survey(lines: Iterable[Line]) -> Survey:
    """Read it all. What it holds afterwards grows with ids and users, not with requests."""
    found = Survey()
    reading = _Reading(found)
    for line in lines:
        why = left_out(line)
        if why:
            found.left_out[why] = found.left_out.get(why, 0) + 1
            continue
        if not found.requests:
            found.begins = line.at
        found.requests += 1
        found.ends = max(found.ends, line.at)
        found.users.setdefault((line.user, line.scope), line.home)
        found.asks.add((line.user, line.scope, line.service))
        reading.take(line)
    return found


def replayed(lines: Iterable[Line], inferred: Mapping[int, list[str]]) -> Iterator[Line]:
    """The requests that are part of a replay, with the ids that they must have made."""
    for line in lines:
        if not left_out(line):
            ids = inferred.get(line.n)
            yield line if ids is None else _with_ids(line, ids)


def _with_ids(line: Line, ids: list[str]) -> Line:
    return msgspec.structs.replace(line, made=[*line.made, *ids], made_up=[*line.made_up, "made"])


class _Reading:
    def __init__(self, found: Survey) -> None:
        self._found = found
        self._made: set[str] = set()
        self._unclaimed: dict[Kind, deque[int]] = {}
        """Requests that made something whose id is not told yet."""

    def take(self, line: Line) -> None:
        for kind, one in kinds.ids_of(line):
            if one not in self._made and kind not in {kinds.PROJECT, kinds.USER} and line.status != 404:
                self._before(line, kind, one)
        self._made.update(line.made)
        if line.method == "POST" and line.status < 300 and kinds.is_collection(line.path):
            if not line.made and "answer_body" in line.made_up:
                kind = Kind(line.service, kinds.collection(line.path))
                self._unclaimed.setdefault(kind, deque()).append(line.n)
            if line.request_body is None:
                for kind in bodies.needs(line.service, line.path):
                    self._found.wanted.setdefault((line.scope, kind), line.user)

    def _before(self, line: Line, kind: Kind, one: str) -> None:
        """An id that nothing so far is known to have made."""
        waiting = self._unclaimed.get(kind)
        self._made.add(one)
        if waiting:
            self._found.inferred.setdefault(waiting.popleft(), []).append(one)
        else:
            self._found.wanted.setdefault((line.scope, kind), line.user)
