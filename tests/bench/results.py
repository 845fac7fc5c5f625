"""What a run has found so far: every value of every round, and why some do not count."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tests.bench.figures import Figure


@dataclass(slots=True)
class Results:
    """Values by part, candidate and figure: `values["cpu"]["nginx"]["us@32"]`."""

    values: dict[str, dict[str, dict[str, list[float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    )
    curves: dict[str, list[float]] = field(default_factory=dict)
    """The latencies of the last round at a hundred quantiles, by candidate."""
    void: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    """What was void each time: its round has no value."""
    registry_clouds: int = 0
    """In the large registry."""
    rate: float = 0.0
    """Of the open loop, requests a second."""

    def add(self, part: str, candidate: str, figure: str, value: float) -> None:
        """One round's value."""
        self.values[part][candidate][figure].append(value)

    def figure(self, part: str, candidate: str, figure: str) -> Figure | None:
        """All rounds of it; None where nothing counts."""
        found = self.values.get(part, {}).get(candidate, {}).get(figure)
        return Figure.of(found) if found else None

    def figures(self, part: str, figure: str) -> dict[str, Figure]:
        """The same of every candidate that has it."""
        found = {name: self.figure(part, name, figure) for name in self.values.get(part, {})}
        return {name: one for name, one in found.items() if one is not None}
