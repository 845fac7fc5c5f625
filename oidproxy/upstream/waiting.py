"""Calls that wait for a place: in the order they came, but services before users."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.upstream.exchange import Exchange
    from oidproxy.upstream.places import Places


class Waiting:
    """Two lines. Services go first: a user's call that holds a place ends when its services' calls did."""

    __slots__ = ("_services", "_users")

    def __init__(self) -> None:
        self._services: deque[Exchange] = deque()
        self._users: deque[Exchange] = deque()

    def __len__(self) -> int:
        return len(self._services) + len(self._users)

    def length(self, *, from_service: bool) -> int:
        """How many wait in a line; each has its own bound, so users cannot keep services out of theirs."""
        return len(self._services if from_service else self._users)

    def add(self, exchange: Exchange) -> None:
        """Wait behind the others."""
        (self._services if exchange.request.from_service else self._users).append(exchange)

    def remove(self, exchange: Exchange) -> None:
        """Wait no longer."""
        (self._services if exchange.request.from_service else self._users).remove(exchange)

    def next(self, places: Places) -> Exchange | None:
        """Who may begin now, taken out of its line."""
        if self._services and places.free(from_service=True):
            return self._services.popleft()
        if self._users and places.free(from_service=False):
            return self._users.popleft()
        return None

    def since(self, moment: float) -> list[Exchange]:
        """Who waits since that moment or longer, taken out."""
        late = []
        for line in (self._services, self._users):
            while line and line[0].waits_since <= moment:
                late.append(line.popleft())
        return late

    def everyone(self) -> list[Exchange]:
        """All, taken out."""
        all_of_them = [*self._services, *self._users]
        self._services.clear()
        self._users.clear()
        return all_of_them
