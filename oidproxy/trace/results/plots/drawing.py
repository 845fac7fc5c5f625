"""What all pictures share: paper, colours, scales of time and bytes, and equal bytes for equal pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

if TYPE_CHECKING:
    from pathlib import Path

DOTS = 130
"""To the inch."""

COLOURS = (
    "#1f77b4",
    "#d95f02",
    "#1b9e77",
    "#c51b7d",
    "#7b5ea7",
    "#8c6d31",
    "#17a2b8",
    "#66a61e",
    "#b2182b",
    "#525252",
)
"""Told apart in print and by most who do not see colours alike."""

FEW = len(COLOURS)
"""So many clouds each have a colour."""

GREY = "#9aa0a6"

SECOND, MINUTE, HOUR = 1.0, 60.0, 3600.0

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 9.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e5e8",
    "grid.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b7075",
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.formatter.useoffset": False,
}


def style() -> Any:
    """The context in which pictures are made, whatever a user's own matplotlibrc says."""
    found: dict[Any, Any] = {**mpl.rcParamsDefault}
    return mpl.rc_context(found | _STYLE)


def figure(width: float, height: float) -> Figure:
    """An empty sheet, in inches."""
    found = Figure(figsize=(width, height), dpi=DOTS, layout="constrained")
    FigureCanvasAgg(found)
    return found


def save(found: Figure, path: Path) -> None:
    """Write a PNG; nothing in it tells when."""
    found.savefig(path, format="png", dpi=DOTS, metadata={"Software": None})


def time_scale(seconds: float) -> tuple[float, str]:
    """By what to divide seconds for an axis of this length, and what it is called then."""
    if seconds > 3 * HOUR:
        return HOUR, "h"
    return (MINUTE, "min") if seconds > 3 * MINUTE else (SECOND, "s")


def milliseconds(axis: Any) -> None:
    """Ticks of a logarithmic axis as people write them; some within a decade, if it has few decades."""

    def within(value: float, _: int) -> str:
        low, high = axis.get_view_interval()
        wanted = "123456789" if high < 3 * low else "25" if high < 2000 * low else ""
        return f"{value:g}" if f"{value:e}"[0] in wanted else ""

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(within))


def legend_above(axes: Any, **options: Any) -> None:
    """A legend over the right end of a panel, where it hides nothing."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), borderaxespad=0.0, **options)


def size(count: float) -> str:
    """Bytes as people write them: `4.2 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def nothing(found: Figure, title: str, text: str) -> Figure:
    """A picture that says that there is nothing to be seen."""
    axes = found.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color="#6b7075", transform=axes.transAxes)
    return found
