"""How latencies are spread: a panel for each service, a curve for each cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from oidproxy.trace.results.plots.drawing import COLOURS, FEW, GREY, figure, milliseconds, nothing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from matplotlib.figure import Figure

    from oidproxy.trace.results.table import Array, Table

PANELS = 9
"""The services with most requests are shown."""

SLOWEST = 3
"""Of many clouds, those that are named."""

_PARTS = np.concatenate([np.linspace(0, 0.99, 397), np.linspace(0.9901, 1, 100)])
_CYCLE = ("-", "--", ":")


def latencies(table: Table) -> Figure:
    """Cumulative distribution of latency by service and cloud."""
    services = _by_service(table)
    title = "Latency from the intended time, by service and cloud"
    if not services:
        return nothing(figure(7, 2), title, "No request was sent.")
    columns = min(len(services), 3)
    rows = -(-len(services) // columns)
    found = figure(max(3.6 * columns, 5.2), 3.1 * rows + 0.9)
    panels = found.subplots(rows, columns, squeeze=False)
    clouds = sorted({cloud for curves in services.values() for cloud in curves})
    colours = {cloud: COLOURS[at] for at, cloud in enumerate(clouds)} if len(clouds) <= FEW else {}
    for axes, (service, curves) in zip(panels.flat, services.items(), strict=False):
        _panel(axes, service, curves, colours)
    for axes in panels.flat[len(services) :]:
        axes.set_visible(False)
    if colours and clouds != [""]:
        handles = [panels.flat[0].plot([], [], color=colours[one])[0] for one in clouds]
        names = [one or "unknown cloud" for one in clouds]
        found.legend(handles, names, loc="outside lower center", ncols=min(len(clouds), 5))
    found.suptitle(title, x=0.01, ha="left", fontsize=11)
    return found


def _by_service(table: Table) -> Mapping[str, Mapping[str, Array]]:
    """Service -> cloud -> latencies in ms, ordered; the services with most requests first."""
    found: dict[str, dict[str, Array]] = {}
    latency = table.latency
    for (service, cloud), rows in table.groups("service", "cloud").items():
        name = table.words["service"][service] or "other"
        found.setdefault(name, {})[table.words["cloud"][cloud]] = np.sort(latency[rows]) / 1e6
    most = sorted(found.items(), key=lambda item: (-sum(map(len, item[1].values())), item[0]))
    return dict(most[:PANELS])


def _panel(axes: Any, service: str, curves: Mapping[str, Array], colours: Mapping[str, str]) -> None:
    count = sum(map(len, curves.values()))
    axes.set_title(f"{service}  ({count:,} requests)", loc="left")
    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    axes.set_xlabel("latency (ms)")
    axes.set_ylabel("requests (%)")
    milliseconds(axes.xaxis)
    if colours:
        for cloud, values in curves.items():
            _curve(axes, values, color=colours[cloud], linewidth=1.6)
        return
    for values in curves.values():
        _curve(axes, values, color=GREY, linewidth=0.6, alpha=0.6)
    axes.plot([], [], color=GREY, linewidth=0.8, label=f"each of {len(curves)} clouds")
    _curve(
        axes, np.sort(np.concatenate(list(curves.values()))), color="black", linewidth=2, label="all together"
    )
    for at, cloud in enumerate(slowest(curves)):
        label = f"{cloud or 'unknown'} (slow)"
        _curve(axes, curves[cloud], color=COLOURS[at + 1], linewidth=1.4, linestyle=_CYCLE[at], label=label)
    axes.legend(loc="upper left", handlelength=1.6)


def slowest(curves: Mapping[str, Array]) -> Sequence[str]:
    """The clouds with the highest 95th percentiles."""
    return sorted(curves, key=lambda cloud: (-curves[cloud][int(0.95 * (len(curves[cloud]) - 1))], cloud))[
        :SLOWEST
    ]


def _curve(axes: Any, ordered: Array, **look: Any) -> None:
    at = np.minimum((_PARTS * len(ordered)).astype(int), len(ordered) - 1)
    axes.plot(np.maximum(ordered[at], 1e-3), _PARTS * 100, drawstyle="steps-pre", **look)
