"""Whose copy runs next: so many at one time, no user and no pair of clouds more of them than its share."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AT_ONCE = 8
"""Of one worker; each takes a connection from either cloud's pool for as long as it lasts."""

OF_A_PAIR = 4
"""From one cloud to another."""

OF_A_USER = 2
"""Of one project of one home."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One who wants to copy, and keeps the place in the queue from the first time on."""

    user: str
    pair: str
    number: int
    called: asyncio.Future[None] | None = field(default=None)


class Turns:
    """The turns of one worker."""

    __slots__ = ("_at_once", "_numbers", "_pairs", "_users", "_waiting")

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._numbers = 0
        self._users: Counter[str] = Counter()
        self._pairs: Counter[str] = Counter()
        self._waiting: list[Ticket] = []

    def ticket(self, user: str, pair: str) -> Ticket:
        """A place at the end of the queue."""
        self._numbers += 1
        return Ticket(user, pair, self._numbers)

    @asynccontextmanager
    async def turn(self, ticket: Ticket) -> AsyncIterator[None]:
        """Wait until it is this one's turn, and have it."""
        called = ticket.called = asyncio.get_running_loop().create_future()
        self._waiting.append(ticket)
        self._call()
        try:
            await called
        except asyncio.CancelledError:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            else:
                self._leave(ticket)
            raise
        try:
            yield
        finally:
            self._leave(ticket)

    def _leave(self, ticket: Ticket) -> None:
        self._users[ticket.user] -= 1
        self._pairs[ticket.pair] -= 1
        # Nothing is kept of those who have none.
        self._users, self._pairs = +self._users, +self._pairs
        self._call()

    def _call(self) -> None:
        """Whoever may run: first who has the fewest running, of these who came first."""
        while self._users.total() < self._at_once:
            allowed = [ticket for ticket in self._waiting if self._may(ticket)]
            if not allowed:
                return
            ticket = min(allowed, key=lambda one: (self._users[one.user], one.number))
            self._waiting.remove(ticket)
            self._users[ticket.user] += 1
            self._pairs[ticket.pair] += 1
            if ticket.called is not None and not ticket.called.done():
                ticket.called.set_result(None)

    def _may(self, ticket: Ticket) -> bool:
        return self._users[ticket.user] < OF_A_USER and self._pairs[ticket.pair] < OF_A_PAIR
