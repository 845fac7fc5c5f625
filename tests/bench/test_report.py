"""The table: ratios, spreads, what is missing, and its place in the docs."""

# ruff: noqa: RUF001

from __future__ import annotations

import json

import pytest

from tests.bench import report
from tests.bench.candidates import ALL
from tests.bench.plan import CONNECTIONS, QUICK
from tests.bench.profile import parts, shares
from tests.bench.results import Results


@pytest.fixture
def results():
    found = Results(rate=100.0)
    for number, candidate in enumerate(ALL):
        for round_number in range(3):
            for many in CONNECTIONS:
                found.add("cpu", candidate.name, f"us@{many}", 10.0 * number + round_number)
                found.add("cpu", candidate.name, f"rate@{many}", 1000.0)
            found.add("latency", candidate.name, "p50", 0.001 * (number + 1))
            found.add("latency", candidate.name, "p99", 0.002 * (number + 1))
            found.add("latency", candidate.name, "lag99", 0.0001)
    return found


def test_the_table_has_medians_spreads_and_ratios(results):
    text = report.markdown(results, {"date": "today"})
    row = next(line for line in text.splitlines() if line.startswith("| **oidproxy** |") and "×" not in line)
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[2] == "51.0 (50.0–52.0)"
    assert cells[4:7] == [f"{51 / 41:.2f}", f"{51 / 31:.2f}", f"{51 / 11:.2f}"]


def test_latency_is_told_as_what_is_added_to_none(results):
    text = report.markdown(results, {})
    row = [line for line in text.splitlines() if line.startswith("| **oidproxy** |")][1]
    assert "| 5.000 | 10.000 |" in row


def test_an_unfair_copy_is_told(results):
    assert "NOT a fair copy" in report.markdown(results, {})
    for _ in range(9):
        results.add("cpu", "haproxy-prototype", "us@32", 155.0)
    assert "a fair one" in report.markdown(results, {})


def test_void_measurements_are_listed(results):
    assert "No measurement was void." in report.markdown(results, {})
    results.void.append("cpu, nginx: 3 requests failed")
    assert "- cpu, nginx: 3 requests failed" in report.markdown(results, {})
    results.given_up.append("cpu, nginx")
    assert "void each time" in report.markdown(results, {})


def test_nothing_measured_makes_no_table():
    assert "|" not in report.markdown(Results(), {})


def test_the_json_has_every_value(results, tmp_path):
    report.write_json(tmp_path / "bench.json", results, {"date": "today"}, QUICK)
    told = json.loads((tmp_path / "bench.json").read_text())
    assert told["values"]["cpu"]["nginx"]["us@32"] == [10.0, 11.0, 12.0]


def test_the_table_goes_between_the_marks_of_the_page(tmp_path):
    page = tmp_path / "page.md"
    begin, end = (mark.format("bench") for mark in report.MARKS)
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    report.into_docs(page, "new\n")
    assert page.read_text() == f"before\n{begin}\nnew\n{end}\nafter\n"
    with pytest.raises(ValueError, match="no place"):
        report.into_docs(page, "new\n", "another")
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no place"):
        report.into_docs(page, "new\n")


def test_a_profile_tells_what_time_was_spent_for():
    stacks = """main (a.py:1);Connection.passed (oidproxy/proxy/connection.py:9) 2
Express.take (oidproxy/proxy/express.py:1);replaced (oidproxy/rewrite/whole.py:2) 1
Express.take (oidproxy/proxy/express.py:3) 1
"""
    table = parts(stacks).splitlines()
    assert table[2].startswith("| sending the answer to the client")
    assert table[2].endswith("| 50% |")
    assert "| links in the answer | 25% |" in table


def test_a_profile_tells_functions_alone_and_with_what_they_call():
    lines = shares("main (a.py:1);work (a.py:5) 3\nmain (a.py:2) 1\n")
    assert any(line.split() == ["25.0%", "100.0%", "main", "(a.py)"] for line in lines)
    assert any(line.split() == ["75.0%", "75.0%", "work", "(a.py)"] for line in lines)
