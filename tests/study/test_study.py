"""The study at a small size: its figures' data, and that its page is made of numbers."""

from __future__ import annotations

import pytest

from tests.study import sites
from tests.study.__main__ import make
from tests.study.figures import draw, failed_by_time
from tests.study.page import page
from tests.study.placements import BULK, QUICK, Lost, quantile

FEW = tuple(
    city for city in sites.CITIES if city.name in {"paris", "lyon", "madrid", "frankfurt", "barcelona"}
)
LOST = Lost("paris", 40.0, 70.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("study")
    runs, requests = make(FEW, place, seconds=150.0, rate=1.0, lost=LOST)
    return {run.placement.key: run for run in runs}, requests


def median(run, kind):
    return quantile(run.latencies(kind, LOST), 0.5)


def test_nearer_images_are_no_slower(made):
    runs, _ = made
    one, three, everywhere = (median(runs[key], QUICK) for key in ("one", "three", "everywhere"))
    assert everywhere < three <= one
    assert median(runs["everywhere"], BULK) < median(runs["one"], BULK)


def test_a_lost_centre_is_everybodys_loss_and_a_fallback_mends_it(made):
    runs, _ = made
    assert runs["one"].share_failed(LOST) > 0.9
    assert runs["everywhere"].share_failed(LOST) <= runs["next"].share_failed(LOST) < 0.4
    assert runs["next"].share_failed(LOST) < runs["three"].share_failed(LOST) < runs["one"].share_failed(LOST)


def test_errors_stand_where_the_site_is_lost(made):
    runs, _ = made
    minutes, share = failed_by_time(runs["one"])
    assert share[minutes < LOST.begin / 60].max() == 0
    assert share[(minutes >= LOST.begin / 60) & (minutes < LOST.end / 60)].min() > 0.5
    assert share[-1] == 0


def test_copies_are_what_images_everywhere_cost(made):
    runs, _ = made
    assert runs["everywhere"].read == 0 < runs["one"].read
    assert runs["everywhere"].copied > runs["three"].copied > runs["one"].copied > 0


def test_figures_and_page_are_made_and_are_the_same_again(made, tmp_path):
    runs, requests = made
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        draw(tuple(runs.values()), FEW, sites.THREE, LOST, folder)
    names = {"sites.svg", "latency.svg", "lost.svg", "moved.svg"}
    assert {path.name for path in first.iterdir()} == names
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    facts = dict.fromkeys(
        (
            "sites",
            "requests",
            "minutes",
            "rate",
            "images",
            "between",
            "within",
            "three_text",
            "site_name",
            "seed",
        ),
        requests,
    )
    text = page(tuple(runs.values()), LOST, facts)
    assert "$" not in text
    assert text.count("| three sites, or the next |") == 1
