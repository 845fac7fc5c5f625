"""The page of a comparison: one file of HTML, with its pictures, that needs no network."""

from __future__ import annotations

import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.trace.comparing.pictures import curves, differences
from oidproxy.trace.comparing.telling import measure, verdict
from oidproxy.trace.results.plots.drawing import save, style
from oidproxy.trace.results.report import html, picture, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidproxy.trace.comparing.compare import Row
    from oidproxy.trace.results.table import Table

ABOUT = (
    "Times are latencies from the intended time. Each interval is the middle 95 % of 2,000 bootstrap "
    "resamples, A and B drawn apart; where it holds 0, no difference is shown. Requests that follow each "
    "other are alike, so intervals are rather too narrow than too wide: several runs say more than one long "
    "one. Of many groups, about one in twenty shows a difference by chance."
)


def page(rows: Sequence[Row], by: Sequence[str], tables: tuple[Table, Table], names: tuple[str, str]) -> str:
    """The whole page."""
    with tempfile.TemporaryDirectory() as folder, style():
        pictures = []
        for name, drawn in (
            ("differences", differences(rows, names)),
            ("latency", curves(*tables, names)),
        ):
            path = Path(folder) / f"{name}.png"
            save(drawn, path)
            pictures.append(picture(path, f"{name} of {names[0]} (A) and {names[1]} (B)"))
    headings = (*by, "requests A", "requests B", "measure", "A", "B", "B - A", "95 % interval", "")
    parts = [
        "<h1>Two replays compared</h1>",
        f"<p>A is <b>{escape(names[0])}</b>, B is <b>{escape(names[1])}</b>.</p>",
        f"<p class=soft>{escape(ABOUT)}</p>",
        *pictures,
        table(headings, _rows(rows, by), texts=len(by)),
    ]
    return html("Two replays compared", parts)


def _rows(rows: Sequence[Row], by: Sequence[str]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        named = (
            tuple(one or "unknown" for one in row.group)
            if row.group
            else ("all", *([""] * (len(by) - 1)))[: len(by)]
        )
        if not row.measures:
            yield (*named, *row.requests, "", "", "", "", "", "only in A" if row.requests[0] else "only in B")
        for name, one in row.measures.items():
            yield (*named, *row.requests, *measure(name, one), verdict(one, few=row.few))
