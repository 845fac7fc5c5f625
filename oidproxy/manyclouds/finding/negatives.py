"""What no cloud had a moment ago: who asks again at once, as clients do that wait, starts no search."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

LASTS = 2.0
"""Seconds. What another worker's client makes meanwhile under an id of its own choice is missed so long."""

ENTRIES = 10_000
QUESTIONS = 100
"""About one item."""


class Negatives:
    """By item, and by who asked what. `clock` gives seconds, of any beginning."""

    __slots__ = ("_clock", "_entries")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[bytes, dict[Hashable, float]] = {}

    def keep(self, item: bytes, question: Hashable) -> None:
        """Nobody had it."""
        if len(self._entries) >= ENTRIES:
            self._tidy()
        asked = self._entries.setdefault(item, {})
        if len(asked) >= QUESTIONS:
            asked.clear()
        asked[question] = self._clock() + LASTS

    def hold(self, item: bytes, question: Hashable) -> bool:
        """Whether nobody had it a moment ago."""
        until = self._entries.get(item, {}).get(question)
        return until is not None and self._clock() < until

    def forget(self, item: bytes) -> None:
        """Somebody has it now."""
        self._entries.pop(item, None)

    def clear(self) -> None:
        """The clouds are others now."""
        self._entries.clear()

    def _tidy(self) -> None:
        """What has ended goes; where that is not enough, the oldest half."""
        now = self._clock()
        kept = {item: asked for item, asked in self._entries.items() if max(asked.values()) > now}
        if len(kept) >= ENTRIES:
            kept = dict(list(kept.items())[len(kept) // 2 :])
        self._entries = kept
