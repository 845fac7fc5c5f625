"""The three answers to "where should images live?", each run through the same hour, with a site lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidproxy.cli.virtually.running import run
from oidproxy.cli.virtually.whatif import WhatIf, prepare
from tests.study.sites import CENTRE, THREE

if TYPE_CHECKING:
    from pathlib import Path

    from oidproxy.trace.results.outcome import Outcome

SECOND = 1_000_000_000
QUICK, BULK = "look", "boot"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where images are looked for, and where they are published to."""

    key: str
    title: str
    looked_for: str
    published_to: str

    @property
    def maps(self) -> tuple[str, ...]:
        """As `--map-scope` takes them."""
        return f"image:@images -> {self.looked_for}", f"image:@copies -> {self.published_to}"


PLACEMENTS = (
    Placement("one", "one central site", CENTRE, CENTRE),
    Placement("three", "three sites, the nearest", "nearest(@stores)", "@stores"),
    Placement("next", "three sites, or the next", f"nearest(@stores)|{'|'.join(THREE)}", "@stores"),
    Placement("everywhere", "every site", "nearest(*)", "*"),
)


@dataclass(frozen=True, slots=True)
class Lost:
    """The site that is lost, in seconds since the beginning."""

    site: str
    begin: float
    end: float

    @property
    def text(self) -> str:
        """As `--outage` takes it."""
        return f"{self.site}@{self.begin:g}s..{self.end:g}s:silent"


@dataclass(frozen=True, slots=True)
class Run:
    """One placement's hour, as columns."""

    placement: Placement
    intended: np.ndarray
    """Seconds; likewise `latency`."""
    latency: np.ndarray
    failed: np.ndarray
    kind: np.ndarray
    """`look`, `boot`, or `publish` (the upload alone)."""
    read: int
    """Bytes between sites that users' requests moved; likewise `copied` of what was published."""
    copied: int

    def latencies(self, kind: str, lost: Lost) -> np.ndarray:
        """Milliseconds of those of a kind that were answered while no site was lost, sorted."""
        usual = (self.intended < lost.begin) | (self.intended >= lost.end + 60)
        return np.sort(self.latency[(self.kind == kind) & usual & ~self.failed] * 1000)

    def share_failed(self, lost: Lost) -> float:
        """Of users' requests while the site was lost."""
        during = (self.intended >= lost.begin) & (self.intended < lost.end) & (self.kind != "publish")
        return float(self.failed[during].mean())


def simulate(placement: Placement, trace: Path, folder: Path, lost: Lost, seed: int) -> Run:
    """Replay the hour with images placed so."""
    found: list[Outcome] = []
    asked = WhatIf(
        str(trace),
        config=str(folder / "oidproxy.yaml"),
        rtt=str(folder / "rtt.yaml"),
        maps=placement.maps,
        outages=(lost.text,),
        seed=seed,
    )
    run(prepare(asked), found.append)
    # Making an image is a moment; what counts is its data.
    found = [one for one in found if one.method != "POST"]
    found.sort(key=lambda one: one.n)
    moved = {True: 0, False: 0}
    for one in found:
        moved[one.method == "PUT"] += sum(size for _, _, size in one.moved)
    return Run(
        placement,
        np.array([one.intended_ns for one in found]) / SECOND,
        np.array([one.done_ns - one.intended_ns for one in found]) / SECOND,
        np.array([not 200 <= one.status < 300 for one in found]),
        np.array([_kind(one) for one in found]),
        moved[False],
        moved[True],
    )


def _kind(one: Outcome) -> str:
    if one.method == "PUT":
        return "publish"
    return BULK if one.template.endswith("/file") else QUICK


def quantile(ordered: np.ndarray, part: float) -> float:
    """By nearest rank."""
    return float(ordered[max(int(np.ceil(part * len(ordered))) - 1, 0)])
