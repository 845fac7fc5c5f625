"""The report's part about finding one of ten million ids, each figure beside its target."""

# ruff: noqa: RUF001

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.find import FIND, INDEX, PART, PLAIN
from tests.bench.thousand import CLOUDS, DELAY

if TYPE_CHECKING:
    from tests.bench.figures import Figure
    from tests.bench.results import Results

GIB = 1 << 30
MIB = 1 << 20


def section(results: Results) -> str:
    """Empty where it was not measured."""
    if not results.values.get(PART):
        return ""
    index = {key: results.figure(PART, INDEX, key) for key in ("ids", "size", "first", "warm", "absent")}
    ids = index["ids"]
    head = f"One of {ids.median if ids else 0:,.0f} ids in {CLOUDS:,} clouds, {DELAY * 1e3:.0f} ms each"
    rows = [
        f"| {head} | measured | target |  |",
        "|---|---|---|---|",
        _row("the index on disk, MiB", index["size"], 1 / MIB, GIB / MIB),
        _row("a lookup, warm, µs", index["warm"], 1.0, 10.0),
        _row("a lookup of an id for the first time, µs", index["first"], 1.0),
        _row("a lookup of what is not there, µs", index["absent"], 1.0),
    ]
    for which, title in ((PLAIN, "a plain forward"), (FIND, "a find that the index knows")):
        for key, what, factor in (
            ("us", "CPU per request, µs", 1.0),
            ("p50", "p50, ms", 1e3),
            ("p99", "p99, ms", 1e3),
        ):
            rows.append(_row(f"{title}: {what}", results.figure(PART, which, key), factor))
    rows += [_ratio(results, "us", "CPU per request", 1.5), _ratio(results, "p50", "p50", 1.2)]
    return "\n".join(row for row in rows if row)


def _row(title: str, figure: Figure | None, factor: float, target: float | None = None) -> str:
    if figure is None:
        return ""
    median, low, high = (value * factor for value in (figure.median, figure.low, figure.high))
    shown = f"{median:,.1f}" if figure.rounds == 1 else f"{median:,.1f} ({low:,.1f}–{high:,.1f})"
    return f"| {title} | {shown} | {'' if target is None else f'{target:g}'} | {_verdict(median, target)} |"


def _ratio(results: Results, key: str, what: str, target: float) -> str:
    plain, find = (results.figure(PART, which, key) for which in (PLAIN, FIND))
    if plain is None or find is None:
        return ""
    ratio = find / plain
    return f"| {what}: a find × a plain forward | {ratio:.2f} | {target:g} | {_verdict(ratio, target)} |"


def _verdict(found: float, target: float | None) -> str:
    if target is None:
        return ""
    return "kept" if found <= target else f"**missed by {found / target - 1:.0%}**"
