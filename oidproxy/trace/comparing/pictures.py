"""Two results in one picture: their curves, and the differences with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from oidproxy.trace.results.plots.drawing import COLOURS, GREY, figure, milliseconds, nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from oidproxy.trace.comparing.compare import Row
    from oidproxy.trace.results.table import Table

SHOWN = 40
"""Groups in one picture: those with most requests."""

_PARTS = np.concatenate([np.linspace(0, 0.99, 397), np.linspace(0.9901, 1, 100)])


def curves(a: Table, b: Table, names: tuple[str, str]) -> Figure:
    """Latency of A and of B, a panel for each service that both have."""
    title = f"Latency: {names[0]} (A) and {names[1]} (B)"
    services = [one for one in a.words["service"] if one in b.words["service"]][:9]
    if not services:
        return nothing(figure(7, 2), title, "They have no service in common.")
    columns = min(len(services), 3)
    rows = -(-len(services) // columns)
    found = figure(max(3.6 * columns, 5.2), 3.1 * rows + 0.9)
    panels = found.subplots(rows, columns, squeeze=False)
    for axes, service in zip(panels.flat, services, strict=False):
        axes.set_title(service or "other", loc="left")
        for place, (table, name) in enumerate(zip((a, b), "AB", strict=True)):
            of_service = table.codes["service"] == table.words["service"].index(service)
            values = np.sort(table.latency[table.timed & of_service]) / 1e6
            if len(values):
                at = np.minimum((_PARTS * len(values)).astype(int), len(values) - 1)
                axes.plot(
                    np.maximum(values[at], 1e-3),
                    _PARTS * 100,
                    color=COLOURS[place],
                    label=name,
                    linestyle=("-", "--")[place],
                )
        axes.set_xscale("log")
        axes.set_ylim(0, 101)
        axes.set_xlabel("latency (ms)")
        axes.set_ylabel("requests (%)")
        milliseconds(axes.xaxis)
        axes.legend(loc="upper left")
    for axes in panels.flat[len(services) :]:
        axes.set_visible(False)
    found.suptitle(title, x=0.01, ha="left", fontsize=11)
    return found


def differences(rows: Sequence[Row], names: tuple[str, str]) -> Figure:
    """B less A for each group, with intervals; grey where they hold 0."""
    title = f"B less A: {names[1]} less {names[0]}"
    most = sorted(
        (row for row in rows if row.measures), key=lambda row: (len(row.group) > 0, -min(row.requests))
    )
    most = most[:SHOWN]
    if not most:
        return nothing(figure(7, 2), title, "They have no group of requests in common.")
    measures = list(most[0].measures)
    found = figure(2.6 * len(measures) + 2.4, 0.24 * len(most) + 1.5)
    panels = found.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        _panel(axes, most, measure)
    names_of_rows = [" ".join(one or "unknown" for one in row.group) or "all" for row in most]
    panels[0].set_yticks(range(len(most)), names_of_rows, fontsize=8)
    panels[0].invert_yaxis()
    found.suptitle(
        f"{title}; bars are 95 % intervals, grey: no difference shown", x=0.01, ha="left", fontsize=10
    )
    return found


def _panel(axes: Any, rows: Sequence[Row], measure: str) -> None:
    scale = 100.0 if measure == "failed" else 1.0
    for place, row in enumerate(rows):
        one = row.measures[measure]
        colour = GREY if not one.shown else COLOURS[1] if one.value > 0 else COLOURS[2]
        axes.plot(
            [one.low * scale, one.high * scale],
            [place, place],
            color=colour,
            linewidth=2.2,
            solid_capstyle="butt",
        )
        axes.plot([one.value * scale], [place], color=colour, marker="o", markersize=4)
    axes.axvline(0, color="#3b424a", linewidth=0.8)
    axes.margins(x=0.08)
    axes.set_title(measure, loc="left")
    axes.set_xlabel("percentage points" if measure == "failed" else "ms")
