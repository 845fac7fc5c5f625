"""The study's figures, as SVG; equal numbers make equal bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from oidproxy.trace.results.plots.drawing import COLOURS, GREY, figure, milliseconds, style
from tests.study.placements import BULK, QUICK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tests.study.placements import Lost, Run
    from tests.study.sites import City

BIN = 10.0
"""Seconds in a step of the timeline."""
NAMED = frozenset(
    ("paris", "frankfurt", "barcelona", "lisbon", "dublin", "copenhagen", "vienna", "rome", "berlin", "brest")
)
"""Cities whose names are on the map."""
POINTS = 500
"""Of a curve at most."""
GIGABYTE = 1e9


def draw(
    runs: Sequence[Run], cities: tuple[City, ...], stores: tuple[str, ...], lost: Lost, folder: Path
) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with style(), mpl.rc_context({"svg.hashsalt": "oidproxy", "svg.fonttype": "path"}):
        for name, made in (
            ("sites", sites(cities, stores, lost)),
            ("latency", latency(runs, lost)),
            ("lost", timeline(runs, lost)),
            ("moved", moved(runs)),
        ):
            made.savefig(folder / f"{name}.svg", format="svg", metadata={"Date": None})


def sites(cities: tuple[City, ...], stores: tuple[str, ...], lost: Lost) -> Figure:
    """Where they are."""
    found = figure(6.0, 5.2)
    axes = found.add_subplot()
    for city in cities:
        store = city.name in stores
        colour = COLOURS[1] if city.name == lost.site else COLOURS[0] if store else GREY
        axes.plot(city.longitude, city.latitude, "s" if store else "o", color=colour, ms=7 if store else 4)
        if city.name in NAMED:
            # Below Paris there is room.
            offset = (7, -11) if city.name == "paris" else (5, 4)
            axes.annotate(
                city.name.title(),
                (city.longitude, city.latitude),
                xytext=offset,
                textcoords="offset points",
            )
    axes.set_aspect(1 / np.cos(np.radians(47)))
    axes.margins(x=0.12)
    axes.set_xlabel("longitude (degrees east)")
    axes.set_ylabel("latitude (degrees north)")
    axes.set_title(
        f"{len(cities)} sites; squares: the three that hold images, orange: the one that is lost", loc="left"
    )
    return found


def latency(runs: Sequence[Run], lost: Lost) -> Figure:
    """How long users wait while all is well."""
    found = figure(8.4, 3.6)
    for place, (kind, title) in enumerate(
        ((QUICK, "List and show images"), (BULK, "Read an image to boot from it")), 1
    ):
        axes = found.add_subplot(1, 2, place)
        for number, run in enumerate(runs):
            values = run.latencies(kind, lost)
            shares = np.linspace(0, 1, min(POINTS, len(values)))
            axes.plot(
                values[(shares * (len(values) - 1)).astype(int)],
                shares,
                color=COLOURS[number],
                ls=LINES[number],
                label=run.placement.title,
            )
        axes.set_xscale("log")
        milliseconds(axes.xaxis)
        axes.set_xlabel("latency (ms)")
        axes.set_ylabel("share of requests")
        axes.set_ylim(0, 1.02)
        axes.set_title(title, loc="left")
        if place == 1:
            axes.legend(loc="lower right")
    return found


LINES = ("-", "-", "--", "-")
"""Two curves lie on each other."""


def timeline(runs: Sequence[Run], lost: Lost) -> Figure:
    """What fails while the site is lost."""
    found = figure(8.4, 3.2)
    axes = found.add_subplot()
    axes.axvspan(lost.begin / 60, lost.end / 60, color="#f4e3d7", lw=0)
    for number, run in enumerate(runs):
        minutes, share = failed_by_time(run)
        axes.step(minutes, share * 100, where="post", color=COLOURS[number], ls=LINES[number],
            label=run.placement.title)  # fmt: skip
    axes.set_xlim(0, None)
    axes.set_ylim(0, 105)
    axes.set_xlabel("time (min)")
    axes.set_ylabel("users' requests that fail (%)")
    axes.set_title(
        f"{lost.site.title()} is lost from minute {lost.begin / 60:g} to {lost.end / 60:g}", loc="left"
    )
    axes.legend(loc="upper right")
    return found


def failed_by_time(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Minutes, and of what was sent from then on for `BIN` seconds the share that failed."""
    users = run.kind != "publish"
    steps = (run.intended[users] / BIN).astype(int)
    count = np.bincount(steps)
    failed = np.bincount(steps, weights=run.failed[users].astype(float), minlength=len(count))
    return np.arange(len(count)) * BIN / 60, failed / np.maximum(count, 1)


def moved(runs: Sequence[Run]) -> Figure:
    """What goes between sites."""
    found = figure(8.4, 2.8)
    axes = found.add_subplot()
    for number, run in enumerate(reversed(runs)):
        read, copied = run.read / GIGABYTE, run.copied / GIGABYTE
        axes.barh(number, read, color=COLOURS[0], label="read by users" if not number else None)
        axes.barh(
            number, copied, left=read, color=COLOURS[1], label="copied when published" if not number else None
        )
        axes.text(read + copied, number, f"  {read + copied:,.0f} GB", va="center")
    _label(axes, [run.placement.title for run in reversed(runs)])
    return found


def _label(axes: Axes, titles: list[str]) -> None:
    axes.set_yticks(range(len(titles)), titles)
    axes.set_xlabel("bytes between sites (GB)")
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
