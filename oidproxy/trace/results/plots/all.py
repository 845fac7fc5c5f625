"""Every picture of one result, by the name of its file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.trace.results.plots.drawing import save, style
from oidproxy.trace.results.plots.latency import latencies
from oidproxy.trace.results.plots.matrix import matrix
from oidproxy.trace.results.plots.timeline import errors, timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

    from oidproxy.trace.results.table import Table

PLOTS: Mapping[str, Callable[[Table], Figure]] = MappingProxyType(
    {"latency": latencies, "timeline": timeline, "errors": errors, "moved": matrix}
)


def draw(table: Table, folder: Path) -> list[Path]:
    """Write them all; which files these are."""
    folder.mkdir(exist_ok=True)
    found = []
    with style():
        for name, make in PLOTS.items():
            path = folder / f"{name}.png"
            save(make(table), path)
            found.append(path)
    return found
