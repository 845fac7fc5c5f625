"""docs/study.md, from a template and the numbers of the runs: none is written by hand."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from tests.study.placements import BULK, QUICK, quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.study.placements import Lost, Run

TEMPLATE = Path(__file__).with_name("study.md.in")
GIGABYTE = 1e9
_HEAD = (
    "| images live in | list, show: p50 | p99 | read: p50 | p99 | publish: p50 | fail while it is lost |"
    " read between sites | copied |\n|---|---|---|---|---|---|---|---|---|\n"
)


def page(runs: Sequence[Run], lost: Lost, facts: Mapping[str, object]) -> str:
    """The whole page. `facts` are what the runs had in common."""
    by_key = {run.placement.key: run for run in runs}
    known: dict[str, object] = {**facts, "table": table(runs, lost), "site": lost.site.title()}
    for key, run in by_key.items():
        known |= _of(key, run, lost)
    one, three, everywhere = by_key["one"], by_key["three"], by_key["everywhere"]
    known["copies_times"] = f"{everywhere.copied / max(1, one.copied):.0f}"
    known["reads_saved"] = f"{(1 - three.read / max(1, one.read)):.0%}"
    known["begin"], known["end"] = f"{lost.begin / 60:g}", f"{lost.end / 60:g}"
    return Template(TEMPLATE.read_text("utf-8")).substitute(known)


def table(runs: Sequence[Run], lost: Lost) -> str:
    """One row for each placement."""
    return _HEAD + "\n".join(_row(run, lost) for run in runs)


def _row(run: Run, lost: Lost) -> str:
    cells = _of("", run, lost)
    names = ("look_p50", "look_p99", "boot_p50", "boot_p99", "publish_p50", "failed", "read", "copied")
    return f"| {run.placement.title} | " + " | ".join(str(cells[f"_{name}"]) for name in names) + " |"


def _of(key: str, run: Run, lost: Lost) -> dict[str, object]:
    found: dict[str, object] = {}
    for kind in (QUICK, BULK, "publish"):
        values = run.latencies(kind, lost)
        found[f"{key}_{kind}_p50"] = _time(quantile(values, 0.5))
        found[f"{key}_{kind}_p99"] = _time(quantile(values, 0.99))
    found[f"{key}_failed"] = f"{run.share_failed(lost):.1%}"
    found[f"{key}_read"] = f"{run.read / GIGABYTE:,.0f} GB"
    found[f"{key}_copied"] = f"{run.copied / GIGABYTE:,.0f} GB"
    return found


def _time(value: float) -> str:
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"
