"""A comparison in words and on a terminal's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidproxy.trace.comparing.bootstrap import Difference
    from oidproxy.trace.comparing.compare import Row

NOT_SHOWN = "no difference shown"


def lines(rows: Sequence[Row], by: Sequence[str]) -> Iterator[str]:
    """A table of text."""
    headings = (*by, "requests A / B", "measure", "A", "B", "B - A", "95 % interval", "")
    whole = [headings, *(cells for row in rows for cells in _cells(row, by))]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    for cells in whole:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cells(row: Row, by: Sequence[str]) -> Iterator[tuple[str, ...]]:
    group = row.group or ("all", *([""] * (len(by) - 1)))[: len(by)]
    named = tuple(one or "unknown" for one in group) if row.group else group
    counts = f"{row.requests[0]:,} / {row.requests[1]:,}"
    if not row.measures:
        where = "A" if row.requests[0] else "B"
        yield (*named, counts, "", "", "", "", "", f"only in {where}")
    for name, one in row.measures.items():
        yield (*named, counts, *measure(name, one), verdict(one, few=row.few))
        named, counts = ("",) * len(by), ""


def measure(name: str, one: Difference) -> tuple[str, str, str, str, str]:
    """Name, A, B, difference and interval, each with its unit."""
    if name == "failed":
        scale, unit = 100.0, "%"
    else:
        scale, unit = 1.0, "ms"
    a, b, low, high = (_number(value * scale) for value in (one.a, one.b, one.low, one.high))
    return (
        name,
        f"{a} {unit}",
        f"{b} {unit}",
        f"{_signed(one.value * scale)} {unit}",
        f"{low} … {high} {unit}",
    )


def verdict(one: Difference, *, few: bool) -> str:
    """What the interval says."""
    if not one.shown:
        return NOT_SHOWN
    more = "B is higher" if one.value > 0 else "B is lower"
    return f"{more} (few requests)" if few else more


def _signed(value: float) -> str:
    return f"+{_number(value)}" if value > 0 else _number(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
