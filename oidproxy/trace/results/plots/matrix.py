"""How many bytes went from which cloud to which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter

from oidproxy.trace.results.plots.drawing import figure, nothing, size
from oidproxy.trace.results.summary import moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from oidproxy.trace.results.table import Array, Table

WRITTEN = 12
"""So many clouds leave room for a number in each field."""

AT_MOST = 60
"""Clouds with a row of their own: those that most bytes left or reached."""


def matrix(table: Table) -> Figure:
    """Rows send, columns receive."""
    title = "Bytes moved between clouds"
    held = moved(table)
    if not held:
        return nothing(figure(7, 1.6), title, "None is known to have been moved between clouds.")
    names, counts = _counts(held)
    side = min(max(0.62 * len(names), 3.4), 9.5)
    found = figure(side + (1.4 if len(names) <= WRITTEN else 2.2), side + 1.2)
    axes = found.add_subplot()
    axes.grid(visible=False)
    shown = np.ma.masked_equal(counts, 0)
    low = float(shown.min())
    high = max(float(shown.max()), low * 10)
    norm = LogNorm(vmin=low, vmax=high)
    image = axes.imshow(shown, cmap="YlGnBu", norm=norm, aspect="equal")
    small = 8.5 if len(names) <= WRITTEN else 6.5
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 4 else 0, fontsize=small)
    axes.set_yticks(range(len(names)), names, fontsize=small)
    axes.set_xlabel("to cloud")
    axes.set_ylabel("from cloud")
    axes.spines[:].set_visible(True)
    if len(names) <= WRITTEN:
        _written(axes, counts, norm)
    else:
        bar = found.colorbar(image, ax=axes, shrink=0.8)
        few = high < 1000 * low
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: size(value)))
        bar.ax.yaxis.set_minor_formatter(
            FuncFormatter(lambda value, _: size(value) if few and f"{value:e}"[0] in "25" else "")
        )
        bar.set_label("bytes (logarithmic); white: none")
    found.suptitle(f"{title}: {size(float(counts.sum()))} in all", x=0.01, ha="left", fontsize=11)
    return found


def _counts(held: dict[str, dict[str, int]]) -> tuple[Sequence[str], Array]:
    total: dict[str, int] = {}
    for source, targets in held.items():
        for target, count in targets.items():
            for one in (source, target):
                total[one] = total.get(one, 0) + count
    names = sorted(sorted(total, key=lambda one: (-total[one], one))[:AT_MOST], key=_in_order)
    place = {name: at for at, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype="int64")
    for source, targets in held.items():
        for target, count in targets.items():
            if source in place and target in place:
                counts[place[source], place[target]] = count
    return names, counts


def _in_order(name: str) -> tuple[str, int, str]:
    """`cloud-2` before `cloud-10`."""
    bare = name.rstrip("0123456789")
    digits = name[len(bare) :]
    return bare, int(digits) if digits else -1, name


def _written(axes: Any, counts: Array, norm: Any) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if norm(count) > 0.6 else "black"
            axes.text(column, row, size(float(count)), ha="center", va="center", fontsize=7.5, color=colour)
