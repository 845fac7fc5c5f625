"""A folder of results: everything in it, the same bytes for the same outcomes, open to standard tools."""

from __future__ import annotations

import hashlib
import json
import random
import re

import numpy as np
import pytest

from oidproxy.errors import ConfigError
from oidproxy.trace.results import folder as results
from oidproxy.trace.results import parquet
from oidproxy.trace.results.folder import Results, read_manifest, read_summary, read_table
from oidproxy.trace.results.outcome import Outcome
from oidproxy.trace.results.table import GATHERED, Columns
from tests.trace.results.outcomes import MILLISECOND, manifest, outcomes


def write(folder, found, *, pictures=True, **more):
    written = Results(folder, manifest(**more))
    for one in found:
        written.add(one)
    return written.close(pictures=pictures)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "a"
    return folder, write(folder, outcomes())


def test_everything_is_there(written):
    folder, _ = written
    names = set(digests(folder))
    assert {"manifest.json", "summary.json", "requests.parquet", "report.html"} <= names
    assert {f"plots/{one}.png" for one in ("latency", "timeline", "errors", "moved")} <= names
    assert {f"histograms/{s}@cloud-{n}.hdr" for s in ("image", "compute") for n in (1, 2, 3)} <= names


def test_the_same_outcomes_in_another_order_make_the_same_bytes(written, tmp_path):
    folder, _ = written
    shuffled = outcomes()
    random.Random(5).shuffle(shuffled)
    write(tmp_path / "b", shuffled)
    assert digests(tmp_path / "b") == digests(folder)


def test_the_summary_tells_what_there_was(written):
    folder, summary = written
    assert summary == read_summary(folder)
    assert (summary["requests"], summary["sent"], summary["unmatched"]) == (300, 294, 6)
    failed = sum(one.status == 503 for one in outcomes())
    assert summary["failed"] == summary["other_status"] == failed > 0
    assert summary["errors"] == {"ejected": failed}
    assert summary["made_up"] == {"body": sum(bool(one.made_up) for one in outcomes())}
    assert summary["saturated"] == []
    assert {"recorded": 200, "replayed": 503, "requests": failed} in summary["statuses"]
    assert summary["not_sent"]["reasons"] == {"servers: request … failed": 6}
    assert sum(row["requests"] for row in summary["services"]) == 294
    total = sum(count for one in outcomes() for _, _, count in one.moved)
    assert sum(sum(targets.values()) for targets in summary["moved"].values()) == total


def test_latency_counts_from_the_intended_time_and_holds_waiting_but_lag_does_not(tmp_path):
    one = Outcome(
        n=0, intended_ns=0, waited_ns=3 * MILLISECOND, sent_ns=5 * MILLISECOND, done_ns=9 * MILLISECOND,
        method="GET", service="image", template="/", status=200,
    )  # fmt: skip
    summary = write(tmp_path, [one], pictures=False)
    assert summary["latency_ms"]["p50"] == 9.0
    assert summary["lag_ms"]["p50"] == 2.0
    assert summary["waited_ms"]["p50"] == 3.0


def test_a_sender_that_is_late_says_that_it_was_saturated(tmp_path):
    def sent(count):
        return [
            Outcome(
                n=n, intended_ns=0, done_ns=300 * MILLISECOND, sent_ns=200 * MILLISECOND * (n < count),
                method="GET", service="image", template="/", status=200,
            )
            for n in range(100)
        ]  # fmt: skip

    summary = write(tmp_path, sent(2))
    assert summary["saturated"] == ["2 of 100 requests were sent over 100 ms after their time"]
    assert "The sender was saturated" in (tmp_path / "report.html").read_text()
    assert write(tmp_path / "b", sent(1), pictures=False)["saturated"] == []


def test_the_table_comes_back_as_it_was_written(written):
    folder, _ = written
    columns = Columns()
    columns.extend(outcomes())
    ours, theirs = columns.table(), read_table(folder)
    for name, values in ours.numbers.items():
        assert np.array_equal(values, theirs.numbers[name]), name
    for name, words in ours.words.items():
        assert words == theirs.words[name]
        assert np.array_equal(ours.codes[name], theirs.codes[name]), name
    moved = [[t.moved.names[n] for n in t.moved.source] for t in (ours, theirs)]
    assert moved[0] == moved[1]
    assert np.array_equal(ours.moved.row, theirs.moved.row)
    assert np.array_equal(ours.moved.count, theirs.moved.count)


def test_more_outcomes_than_are_gathered_at_once_keep_their_order_and_their_bytes_moved():
    columns = Columns()
    found = outcomes(GATHERED + 500)
    columns.extend(reversed(found))
    table = columns.table()
    assert table.numbers["n"].tolist() == list(range(len(found)))
    held = table.moved
    columns = (held.row, held.source, held.target, held.count)
    told = [(int(r), held.names[s], held.names[t], int(c)) for r, s, t, c in zip(*columns, strict=True)]
    assert told == [(one.n, *each) for one in found for each in one.moved]


def test_histograms_open_in_the_readers_of_hdrhistogram_and_tell_the_same_percentiles(written):
    from hdrh.histogram import HdrHistogram
    from hdrh.log import HistogramLogReader

    folder, summary = written
    rows = [one for one in outcomes() if not one.unmatched]
    for row in summary["services"]:
        place = row["service"], row["cloud"]
        latencies = sorted(one.done_ns - one.intended_ns for one in rows if (one.service, one.cloud) == place)
        path = folder / "histograms" / f"{row['service']}@{row['cloud']}.hdr"
        reader = HistogramLogReader(str(path), HdrHistogram(1, 24 * 3600 * 10**6, 3))
        found = reader.get_next_interval_histogram()
        reader.input_file.close()
        assert found.get_total_count() == row["requests"]
        for at in (50, 90, 99, 100):
            # Theirs is the nearest rank, ours the one above.
            rank = int(at / 100 * len(latencies) + 0.5) - 1
            assert found.get_value_at_percentile(at) == pytest.approx(latencies[rank] / 1000, rel=0.002)


def test_the_report_needs_no_network_and_shows_pictures_and_what_was_not_sent(written):
    text = (written[0] / "report.html").read_text()
    assert text.count("data:image/png;base64,") == 4
    assert not re.search(r"(?:src|href)=[\"']?+(?!data:)", text)
    assert "6 requests (2 %) were not sent" in text
    assert "bodies of requests, of the least that the API takes" in text
    assert "oidproxy trace replay t" in text


def test_what_the_trace_says_is_text_on_the_page(tmp_path):
    one = Outcome(n=0, intended_ns=0, method="GET", service="<b>x</b>", template="/<script>", unmatched="<i>")
    write(tmp_path, [one], trace="<u>")
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"<script|<u>|<i>|<b>x", text)


def test_nothing_sent_at_all_is_told(tmp_path):
    summary = write(tmp_path, [])
    assert (summary["requests"], summary["latency_ms"]) == (0, {})
    assert len(read_table(tmp_path)) == 0


def test_the_rows_are_csv_too(written, tmp_path):
    import csv

    parquet.to_csv(written[0] / results.REQUESTS, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300
    found = {int(row["n"]): row for row in rows}
    for one in outcomes():
        row = found[one.n]
        assert row["cloud"] == one.cloud
        assert row["latency_ns"] == ("" if one.unmatched else str(one.done_ns - one.intended_ns))
        assert row["moved"] == ";".join(f"{s}>{t}={c}" for s, t, c in one.moved)


def test_other_folders_are_refused_with_their_names(tmp_path, written):
    with pytest.raises(ConfigError, match=r"no results of a replay: it has no manifest\.json"):
        read_manifest(tmp_path)
    other = json.loads((written[0] / "manifest.json").read_text()) | {"oidproxy_results": 9}
    (tmp_path / "manifest.json").write_text(json.dumps(other))
    with pytest.raises(ConfigError, match="version 9"):
        read_manifest(tmp_path)


def test_the_manifest_comes_back(written):
    assert read_manifest(written[0]) == manifest()
