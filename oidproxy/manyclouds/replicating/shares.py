"""What each user has begun in several clouds that is not over: the others need room, too."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from oidproxy.errors import TooManyUnfinished

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from oidproxy.manyclouds.replicating.journal import Intent, Owner

OPEN_AT_MOST = 200
"""Requests of one user of one project: the journal has to hold everybody's, and so has each worker."""


class Shares:
    """Those that one worker knows of."""

    __slots__ = ("_left", "_under_way")

    def __init__(self) -> None:
        self._left: Counter[Owner] = Counter()
        self._under_way: Counter[Owner] = Counter()

    @property
    def left(self) -> int:
        """How many are in the journal."""
        return self._left.total()

    def see(self, intents: Iterable[Intent]) -> None:
        """These are in the journal now."""
        self._left = Counter(one.owner for one in intents)

    def check(self, owner: Owner, *, recorded: bool) -> None:
        """Whether one more may begin; `recorded`: it comes into the journal.

        Raises:
            TooManyUnfinished: there are too many.
        """
        left = self._left[owner] if recorded else 0
        if max(left, self._under_way[owner]) >= OPEN_AT_MOST:
            raise TooManyUnfinished(
                f"{OPEN_AT_MOST} of your requests to several clouds are not over, since some cloud does not "
                "answer: name the others, or wait for it.",
                fields={"Retry-After": "60"},
            )

    def begun(self, owner: Owner, task: asyncio.Task[None]) -> None:
        """One began, and goes on until this task ends, whether its client is there or not."""
        self._under_way[owner] += 1

        def over(_: asyncio.Task[None]) -> None:
            self._under_way[owner] -= 1
            if not self._under_way[owner]:
                del self._under_way[owner]

        task.add_done_callback(over)
