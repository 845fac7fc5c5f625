"""What happened when: the rate, the latency, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from oidproxy.trace.results.plots.drawing import (
    COLOURS,
    GREY,
    figure,
    legend_above,
    milliseconds,
    nothing,
    time_scale,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from oidproxy.trace.results.table import Array, Table

BINS = 120

NAMED = 8
"""Clouds that are named where errors are told by cloud."""

_WIDTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * one for one in (1, 2, 5, 10, 15, 30)),
    *(3600 * one for one in (1, 2, 6, 12, 24)),
)
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal parts of the replay's time."""

    width: float
    """Seconds."""
    count: int
    seconds: float
    """All of it; the last part may be shorter."""
    divisor: float
    unit: str

    @property
    def widths(self) -> Array:
        """Of each part, in seconds."""
        found: Array = np.full(self.count, self.width)
        # A rate over next to nothing would be any number.
        found[-1] = max(self.seconds - (self.count - 1) * self.width, self.width / 4)
        return found

    @property
    def edges(self) -> Array:
        """In the axis's unit."""
        found: Array = np.arange(self.count + 1) * self.width / self.divisor
        return found

    def of(self, nanoseconds: Array) -> Array:
        """The bin of each time."""
        found: Array = np.clip(nanoseconds / 1e9 / self.width, 0, self.count - 1).astype("int64")
        return found

    def label(self, axes: Any) -> None:
        """The axis of time."""
        axes.set_xlabel(f"intended time since the start ({self.unit})")
        axes.set_xlim(0, self.edges[-1])

    @property
    def each(self) -> str:
        """The width as people write it."""
        divisor, unit = time_scale(self.width)
        return f"{self.width / divisor:g} {unit}"


def bins(table: Table) -> Bins:
    """Some 40 to 120, of a width that people count in."""
    intended = table.numbers["intended_ns"]
    seconds = max(float(intended.max()) / 1e9 if len(intended) else 0.0, 1e-3)
    power = 10.0 ** np.floor(np.log10(seconds / BINS))
    widths = [one * power for one in (1, 2, 5, 10)] if seconds < BINS else list(_WIDTHS)
    width = next((one for one in widths if one * BINS >= seconds), seconds / BINS)
    return Bins(float(width), max(int(np.ceil(seconds / width)), 1), seconds, *time_scale(seconds))


def timeline(table: Table) -> Figure:
    """Rate above, latency below."""
    title = "Rate and latency over time"
    rows = np.flatnonzero(table.timed)
    if not len(rows):
        return nothing(figure(7, 2), title, "No request was sent.")
    parts = bins(table)
    found = figure(9, 5.2)
    above, below = found.subplots(2, 1, sharex=True)
    intended = parts.of(table.numbers["intended_ns"][rows])
    answered = rows[table.numbers["status"][rows] > 0]
    done = parts.of(table.numbers["done_ns"][answered])
    _steps(above, parts, np.bincount(intended, minlength=parts.count) / parts.widths, COLOURS[0], "intended")
    _steps(above, parts, np.bincount(done, minlength=parts.count) / parts.widths, COLOURS[1], "answered")
    above.set_ylabel("requests per second")
    above.margins(y=0.08)
    above.autoscale_view()
    above.set_ylim(bottom=0)
    legend_above(above, ncols=2)
    above.set_title(f"in parts of {parts.each}", loc="left", fontsize=8, color="#6b7075")
    latency = table.latency[rows] / 1e6
    for at, (name, values) in enumerate(_quantiles(intended, latency, parts.count).items()):
        _steps(below, parts, values, COLOURS[at], name)
    below.set_yscale("log")
    below.margins(y=0.08)
    milliseconds(below.yaxis)
    below.set_ylabel("latency (ms)")
    legend_above(below, ncols=3)
    parts.label(below)
    found.suptitle(title, x=0.01, ha="left", fontsize=11)
    return found


def errors(table: Table) -> Figure:
    """What went wrong over time, by kind and by cloud."""
    title = "Requests that went wrong, over time"
    parts = bins(table)
    at = parts.of(table.numbers["intended_ns"])
    status, recorded = table.numbers["status"], table.numbers["recorded_status"]
    sent = table.timed
    kinds = {
        "no answer": sent & (status == 0),
        "server error (5xx)": sent & (status >= 500),
        "other status than recorded": sent
        & (status > 0)
        & (status < 500)
        & (recorded > 0)
        & (status != recorded),
        "not sent (unmatched)": table.unmatched,
    }
    shown = {name: which for name, which in kinds.items() if which.any()}
    if not shown:
        return nothing(figure(9, 1.6), title, "Nothing did: every request was sent and answered as recorded.")
    found = figure(9, 5.2)
    above, below = found.subplots(2, 1, sharex=True)
    floor = np.zeros(parts.count)
    for name, which in shown.items():
        counts = np.bincount(at[which], minlength=parts.count)
        colour = COLOURS[list(kinds).index(name) + 1]
        label = f"{name}: {int(which.sum()):,}"
        above.stairs(floor + counts, parts.edges, baseline=floor, fill=True, color=colour, label=label)
        floor = floor + counts
    above.set_ylabel(f"requests per {parts.each}")
    legend_above(above, ncols=4)
    failed = table.failed & sent
    _by_cloud(below, table, parts, at, failed)
    parts.label(below)
    found.suptitle(title, x=0.01, ha="left", fontsize=11)
    return found


def _by_cloud(axes: Any, table: Table, parts: Bins, at: Array, failed: Array) -> None:
    """Share of requests that failed, for the clouds where most did."""
    clouds = table.words["cloud"]
    code = table.codes["cloud"]
    counts = np.bincount(code[failed], minlength=len(clouds))
    most = [int(one) for one in np.argsort(-counts, kind="stable")[:NAMED] if counts[one]]
    for place, one in enumerate(most):
        sent = np.bincount(at[(code == one) & table.timed], minlength=parts.count)
        wrong = np.bincount(at[(code == one) & failed], minlength=parts.count)
        share = np.divide(100.0 * wrong, sent, out=np.full(parts.count, np.nan), where=sent > 0)
        middle = (parts.edges[:-1] + parts.edges[1:]) / 2
        axes.plot(
            middle,
            share,
            color=COLOURS[place],
            marker="o",
            markersize=2.5,
            linewidth=1.2,
            label=clouds[one] or "unknown cloud",
        )
    axes.set_ylim(-2, 102)
    axes.set_ylabel("failed of a cloud's requests (%)")
    left = int((counts > 0).sum()) - len(most)
    if most:
        title = f"the {NAMED} worst\nof {NAMED + left} clouds" if left > 0 else None
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title=title)
    else:
        axes.text(0.5, 0.5, "no cloud failed", ha="center", va="center", color=GREY, transform=axes.transAxes)


def _steps(axes: Any, parts: Bins, values: Array, colour: str, label: str) -> None:
    axes.stairs(values, parts.edges, color=colour, linewidth=1.4, label=label, baseline=None)


def _quantiles(at: Array, values: Array, count: int) -> dict[str, Array]:
    """Median, p99 and maximum of each bin; no number where it is empty."""
    order = np.lexsort((values, at))
    values = values[order]
    ends = np.cumsum(np.bincount(at, minlength=count))
    begins = np.concatenate([[0], ends[:-1]])
    sizes = ends - begins
    found = {}
    for name, part in (("median", 0.5), ("p99", 0.99), ("maximum", 1.0)):
        place = begins + np.maximum(np.ceil(part * sizes).astype("int64") - 1, 0)
        picked = values[np.minimum(place, len(values) - 1)]
        found[name] = np.where(sizes > 0, np.maximum(picked, 1e-3), np.nan)
    return found
