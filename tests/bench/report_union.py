"""The report's part about lists of a thousand clouds, each figure beside its target."""

# ruff: noqa: RUF001

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.thousand import CLOUDS, DELAY, ITEMS
from tests.bench.union import LEAN, LIMIT, PART, SIM

if TYPE_CHECKING:
    from tests.bench.results import Results

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table; values and target in the same unit."""

    title: str
    candidate: str
    figure: str
    target: float | None = None
    factor: float = 1e3
    unit: str = "ms"


LINES = (
    Line(f"limit {LIMIT}, warm", LEAN, "warm", 150),
    Line(f"limit {LIMIT}, warm: CPU of the proxy", LEAN, "warm cpu", 60),
    Line(f"limit {LIMIT}, warm: CPU of the clouds", LEAN, "warm upstream"),
    Line(f"limit {LIMIT}, cold: no connection open, one validation at home", LEAN, "cold", 400),
    Line(f"all {CLOUDS * ITEMS:,} rows", LEAN, "whole", 400),
    Line(f"all {CLOUDS * ITEMS:,} rows: CPU of the proxy", LEAN, "whole cpu"),
    Line(f"all {CLOUDS * ITEMS:,} rows: size", LEAN, "whole bytes", None, 1 / MIB, "MiB"),
    Line("memory of the proxy afterwards", LEAN, "memory", None, 1 / MIB, "MiB"),
    Line(f"limit {LIMIT}, warm, every cloud alive", LEAN, "list alive"),
    Line(f"limit {LIMIT}, warm, one cloud dead", LEAN, "list dead"),
    Line("requests for the other clouds, p99, every cloud alive", LEAN, "p99 alive"),
    Line("requests for the other clouds, p99, one cloud dead", LEAN, "p99 dead"),
    Line(f"oidproxy sim: limit {LIMIT}, warm", SIM, "warm", 500),
    Line("oidproxy sim: of that, CPU of the proxy", SIM, "warm cpu"),
    Line("oidproxy sim: of that, CPU of the simulated clouds", SIM, "warm upstream"),
    Line("oidproxy sim: until every cloud has answered once", SIM, "cold"),
    Line("oidproxy sim: ready after", SIM, "ready", 30, 1.0, "s"),
    Line("oidproxy sim: memory (PSS)", SIM, "memory", 1536, 1 / MIB, "MiB"),
)


def section(results: Results) -> str:
    """Empty where it was not measured."""
    if not results.values.get(PART):
        return ""
    head = f"One list of {CLOUDS:,} clouds × {ITEMS} rows, {DELAY * 1e3:.0f} ms each"
    rows = [f"| {head} | measured | target |  |", "|---|---|---|---|"]
    rows += [row for row in (_row(results, line) for line in LINES) if row]
    return "\n".join(rows) + _beside(results)


def _row(results: Results, line: Line) -> str:
    found = results.figure(PART, line.candidate, line.figure)
    if found is None:
        return ""
    median, low, high = (value * line.factor for value in (found.median, found.low, found.high))
    shown = f"{median:,.1f}" if found.rounds == 1 else f"{median:,.1f} ({low:,.1f}–{high:,.1f})"
    if line.target is None:
        return f"| {line.title} | {shown} {line.unit} |  |  |"
    verdict = "kept" if median < line.target else f"**missed by {median / line.target - 1:.0%}**"
    return f"| {line.title} | {shown} {line.unit} | {line.target:g} {line.unit} | {verdict} |"


def _beside(results: Results) -> str:
    alive, dead = (results.figure(PART, LEAN, f"p99 {which}") for which in ("alive", "dead"))
    if alive is None or dead is None:
        return ""
    apart = dead.median > alive.high * 1.05
    said = "**changes**" if apart else "does not change"
    return (
        f"\n\nOne dead cloud {said} the p99 of requests for the others: {dead.median * 1e3:.1f} ms, "
        f"with all of them alive {alive.median * 1e3:.1f} ms ({alive.low * 1e3:.1f}–{alive.high * 1e3:.1f})."
    )
