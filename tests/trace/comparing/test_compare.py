"""Two results compared: by group, the same each time, on the terminal, as JSON, CSV and a page."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from oidproxy.cli.main import main
from oidproxy.trace.comparing.compare import compare
from oidproxy.trace.results.folder import Results
from oidproxy.trace.results.table import Columns
from tests.trace.results.outcomes import manifest, outcomes


def table(found):
    columns = Columns()
    columns.extend(found)
    return columns.table()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("compare")
    for name, found in (
        ("a", outcomes(3000)),
        ("b", outcomes(3000, seed=2, slower=0.3)),
        ("c", outcomes(600, 1)),
    ):
        written = Results(base / name, manifest())
        for one in found:
            written.add(one)
        written.close(pictures=False)
    return base


def test_groups_of_both_and_what_only_one_has():
    rows = compare(table(outcomes(600, 3)), table(outcomes(600, 2)), ("cloud",), 0)
    assert [row.group for row in rows] == [(), ("cloud-1",), ("cloud-2",), ("cloud-3",)]
    assert rows[-1].measures == {}
    assert rows[-1].requests[1] == 0
    assert set(rows[0].measures) == {"p50", "p95", "p99", "failed"}


def test_the_same_seed_says_the_same_and_groups_do_not_disturb_each_other():
    a, b = table(outcomes(600)), table(outcomes(600, seed=3))
    first, again = (compare(a, b, ("service", "cloud"), 1) for _ in range(2))
    assert first == again
    alone = compare(a, b, (), 1)
    assert alone == first[:1]
    assert compare(a, b, (), 2) != alone


def test_equal_results_show_no_difference(folders, capsys):
    assert main(["trace", "compare", str(folders / "a"), str(folders / "a")]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert len(lines) == 4 * 7
    assert all(line.endswith("no difference shown") for line in lines)


def test_a_slower_run_is_told(folders, capsys):
    assert main(["trace", "compare", str(folders / "a"), str(folders / "b"), "--by", "service"]) == 0
    found = capsys.readouterr().out.splitlines()
    assert found[0].split()[:3] == ["service", "requests", "A"]
    assert re.search(r"^all +2,940 / 2,940 +p50 .* ms +.* ms +\+.* ms +.* … .* ms +B is higher$", found[1])
    assert "no difference shown" in found[4]


def test_json_and_csv_have_numbers(folders, capsys):
    arguments = ["trace", "compare", str(folders / "a"), str(folders / "b")]
    assert main([*arguments, "-f", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["all"] is True
    assert rows[0]["p50"]["low"] < rows[0]["p50"]["difference"] < rows[0]["p50"]["high"]
    assert main([*arguments, "-f", "csv"]) == 0
    flat = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert float(flat[0]["difference"]) == pytest.approx(rows[0]["p50"]["difference"])
    assert {row["measure"] for row in flat} == {"p50_ms", "p95_ms", "p99_ms", "failed"}


def test_the_page_has_pictures_and_needs_no_network(folders, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["trace", "compare", str(folders / "a"), str(folders / "c"), "--html", str(page)]) == 0
    capsys.readouterr()
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 2
    assert not re.search(r"(?:src|href)=[\"']?+(?!data:)", text)
    assert "only in A" in text


def test_what_is_no_result_or_no_field_is_refused(folders, tmp_path, capsys):
    assert main(["trace", "compare", str(folders / "a"), str(tmp_path)]) == 2
    assert "no results of a replay" in capsys.readouterr().err
    assert main(["trace", "compare", str(folders / "a"), str(folders / "b"), "--by", "colour"]) == 2
    assert "expected some of service, method, template, cloud, home" in capsys.readouterr().err


def test_report_draws_again_what_is_there(folders, capsys, tmp_path):
    assert main(["trace", "report", str(folders / "c"), "--csv", str(tmp_path / "r.csv")]) == 0
    capsys.readouterr()
    assert (folders / "c" / "report.html").exists()
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 601
