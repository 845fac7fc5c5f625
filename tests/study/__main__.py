"""`python -m tests.study`: makes the study of image placement, its figures and its page, again."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.study import sites, workload
from tests.study.figures import draw
from tests.study.page import page
from tests.study.placements import PLACEMENTS, Lost, Run, simulate

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 3600.0
RATE = 0.3
"""Requests a second of each site's users."""
LOST = Lost(sites.CENTRE, 1200.0, 1800.0)
SEED = 1


def main() -> int:
    """Make everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.study", description=__doc__)
    parser.add_argument(
        "--docs", type=Path, default=ROOT / "docs", help="where the page goes (default: docs)"
    )
    docs = parser.parse_args().docs
    folder = docs / "study"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="oidproxy-study-") as place:
        runs, requests = make(sites.CITIES, Path(place), seconds=SECONDS, rate=RATE, lost=LOST)
        (folder / "rtt.yaml").write_bytes((Path(place) / "rtt.yaml").read_bytes())
    draw(runs, sites.CITIES, sites.THREE, LOST, folder)
    facts = {
        "sites": len(sites.CITIES),
        "requests": f"{requests:,}",
        "minutes": f"{SECONDS / 60:g}",
        "rate": f"{RATE:g}",
        "images": workload.IMAGES,
        "between": sites.RATE,
        "within": sites.OWN_RATE,
        "three_text": "|".join(sites.THREE),
        "site_name": LOST.site,
        "seed": SEED,
    }
    (docs / "study.md").write_text(page(runs, LOST, facts), "utf-8")
    print(docs / "study.md")
    return 0


def make(
    cities: tuple[sites.City, ...], place: Path, *, seconds: float, rate: float, lost: Lost
) -> tuple[list[Run], int]:
    """Every placement's run, and how many requests each had."""
    (place / "rtt.yaml").write_text(sites.enoslib(cities), "utf-8")
    (place / "oidproxy.yaml").write_text(sites.configuration(cities), "utf-8")
    requests = workload.write(place / "trace.jsonl", cities, seconds=seconds, rate=rate, seed=SEED)
    runs = []
    for placement in PLACEMENTS:
        print(f"{placement.title}: {requests} requests", file=sys.stderr)
        runs.append(simulate(placement, place / "trace.jsonl", place, lost, SEED))
    return runs, requests


if __name__ == "__main__":
    sys.exit(main())
