"""What is in a trace, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oidproxy.trace.reading import Trace

TOLD_EVERY = 5000

KINDS_AT_MOST = 10_000
"""Different names of one table; what comes then is one row."""

OTHERS = "(others)"


@dataclass(slots=True)
class Tally:
    """Filled in line by line."""

    lines: int = 0
    nanoseconds: int = 0
    """From the first request's beginning to the last one's."""
    people: set[str] = field(default_factory=set)
    operations: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    clouds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    scopes: Counter[str] = field(default_factory=Counter)
    made_up: Counter[str] = field(default_factory=Counter)

    @property
    def users(self) -> int:
        """How many there are."""
        return len(self.people)

    def tables(self) -> Iterator[tuple[str, Counter[str]]]:
        """Title and rows of those that say anything."""
        for title, counts in (
            ("OPERATION", self.operations),
            ("SERVICE", self.services),
            ("CLOUD", self.clouds),
            ("STATUS", self.statuses),
            ("SCOPE", self.scopes),
        ):
            if set(counts) - {""}:
                yield title, counts

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "requests": self.lines,
            "seconds": self.nanoseconds / 1e9,
            "users": self.users,
            "made_up": dict(self.made_up.most_common()),
            **{title.lower(): dict(counts.most_common()) for title, counts in self.tables()},
        }


def tally(trace: Trace, progress: Callable[[int], None] = lambda _: None) -> Tally:
    """Count the whole trace. Raises TraceInvalid, OSError."""
    found = Tally()
    first = last = 0
    for number, line in enumerate(trace.lines()):
        if not number % TOLD_EVERY:
            progress(number)
        if not number:
            first = line.at
        last = line.at
        found.lines += 1
        if line.user:
            found.people.add(line.user)
        _count(found.operations, f"{line.method} {line.service} {line.template or line.path}")
        _count(found.services, line.service)
        _count(found.clouds, line.cloud)
        _count(found.statuses, str(line.status))
        _count(found.scopes, line.scope)
        found.made_up.update(line.made_up)
    found.nanoseconds = last - first
    return found


def _count(counts: Counter[str], name: str) -> None:
    counts[name if name in counts or len(counts) < KINDS_AT_MOST else OTHERS] += 1
