"""What is exported is all there, and other programs can read it."""

from __future__ import annotations

import csv
import json
import stat

import pyarrow.parquet as pq
import pytest

from oidproxy.cli.main import main
from oidproxy.errors import TraceInvalid
from oidproxy.trace.exporting import parquet
from oidproxy.trace.exporting.exporting import export, format_of
from oidproxy.trace.importing.importing import import_trace
from oidproxy.trace.importing.terms import Options
from oidproxy.trace.line import Header, Line
from oidproxy.trace.reading import open_trace
from oidproxy.trace.writing import TraceWriter

UUID = "9f1c2b3a-1111-4222-8333-444455556666"
HEADER = Header(
    oidproxy_trace=1, began="2026-01-01T00:00:00.000001Z", source="serve", clouds=["paris", "lyon"]
)

FULL = Line(
    n=1,
    at=1_500_000_123,
    method="POST",
    path="/v2.1/servers",
    template="/v2.1/servers",
    query="a=b%20c&d",
    service="compute",
    scope="compute:paris;image:lyon",
    carrier="header",
    home="paris",
    clouds=["paris", "lyon"],
    asked=["lyon", "paris"],
    cloud="paris",
    status=202,
    bytes_in=40,
    bytes_out=90,
    steps={"decided": 1_000, "sent": 2_000_000, "first_byte": 3_000_000, "done": 4_500_000},
    made=[UUID],
    used=["image-id"],
    request_id="req-1",
    user="user-1",
    content_type="application/json",
    request_body={"server": {"name": 'a "b", c\nd', "adminPass": "{SHA256}0123456789abcdef"}},
    answer_body={"server": {"id": UUID}},
)
BARE = Line(at=0, method="GET", path="/", status=0, lost=True, made_up=["token", "gap"])


@pytest.fixture
def trace(tmp_path):
    with TraceWriter(tmp_path / "t.jsonl.zst", HEADER) as out:
        out.add(BARE)
        out.add(FULL)
    return open_trace(tmp_path / "t.jsonl.zst")


@pytest.mark.parametrize("form", ["har", "csv", "parquet"])
def test_files_are_their_owners_and_overwrite_nothing(trace, tmp_path, form):
    out = tmp_path / f"x.{form}"
    assert export(trace, out, form) == 2
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        export(trace, out, form)
    assert export(trace, out, form, replace=True) == 2


def test_csv_has_a_column_for_everything(trace, tmp_path):
    export(trace, tmp_path / "x.csv", "csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        bare, full = csv.DictReader(file)
    assert (bare["time"], bare["status"], bare["lost"], bare["made_up"]) == (
        "2026-01-01T00:00:00.000001000Z",
        "0",
        "1",
        "token gap",
    )
    assert (bare["duration_ms"], bare["first_byte_ns"], bare["request_body"]) == ("", "", "")
    assert (full["time"], full["at_ns"]) == ("2026-01-01T00:00:01.500001123Z", "1500000123")
    assert (full["duration_ms"], full["sent_ns"], full["clouds"]) == ("4.5", "2000000", "paris lyon")
    assert json.loads(full["request_body"]) == FULL.request_body


def test_our_own_csv_is_read_again(trace, tmp_path):
    export(trace, tmp_path / "x.csv", "csv")
    import_trace(tmp_path / "x.csv", tmp_path / "again.jsonl", "csv", Options(service="image"))
    bare, full = open_trace(tmp_path / "again.jsonl").lines()
    assert (full.at - bare.at, full.steps) == (FULL.at - BARE.at, {"done": 4_500_000})
    for name in (
        "method",
        "path",
        "query",
        "service",
        "scope",
        "home",
        "cloud",
        "status",
        "bytes_in",
        "bytes_out",
    ):
        assert getattr(full, name) == getattr(FULL, name), name
    assert (full.request_body, full.user) == (FULL.request_body, "user-1")


def test_har_is_of_its_form_and_is_read_again(trace, tmp_path):
    export(trace, tmp_path / "x.har", "har")
    log = json.loads((tmp_path / "x.har").read_text())["log"]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "oidproxy")
    _, entry = log["entries"]
    assert entry["request"]["url"] == "http://oidproxy.invalid/compute/v2.1/servers?a=b%20c&d"
    assert entry["request"]["queryString"] == [{"name": "a", "value": "b%20c"}, {"name": "d", "value": ""}]
    assert {"name": "X-Scope", "value": FULL.scope} in entry["request"]["headers"]
    phases = entry["timings"]
    assert sum(value for value in phases.values() if value > 0) == pytest.approx(entry["time"])
    for part, names in REQUIRED.items():
        assert names <= set(entry[part])
    import_trace(tmp_path / "x.har", tmp_path / "again.jsonl", "har", Options())
    [full] = open_trace(tmp_path / "again.jsonl").lines()
    for name in ("method", "path", "query", "service", "scope", "status", "bytes_in", "made", "request_body"):
        assert getattr(full, name) == getattr(FULL, name), name


REQUIRED = {
    "request": {
        "method",
        "url",
        "httpVersion",
        "cookies",
        "headers",
        "queryString",
        "headersSize",
        "bodySize",
    },
    "response": {
        "status",
        "statusText",
        "httpVersion",
        "cookies",
        "headers",
        "content",
        "redirectURL",
        "headersSize",
        "bodySize",
    },
    "timings": {"send", "wait", "receive"},
}
"""What HAR 1.2 demands."""


def test_parquet_has_types_and_the_header(trace, tmp_path):
    export(trace, tmp_path / "x.parquet", "parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert json.loads(table.schema.metadata[b"oidproxy_trace"])["clouds"] == ["paris", "lyon"]
    bare, full = table.to_pylist()
    assert (full["at_ns"], full["first_byte_ns"], full["made"]) == (FULL.at, 3_000_000, [UUID])
    assert (full["clouds"], full["status"]) == (["paris", "lyon"], 202)
    assert json.loads(full["answer_body"]) == FULL.answer_body
    assert (bare["done_ns"], bare["lost"], bare["request_body"]) == (None, True, None)


def test_parquet_is_written_a_group_at_a_time(trace, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS", 1)
    export(trace, tmp_path / "x.parquet", "parquet")
    assert pq.ParquetFile(tmp_path / "x.parquet").num_row_groups == 2
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 2


def test_the_name_tells_the_format(tmp_path):
    assert format_of(tmp_path / "a.Parquet") == "parquet"
    with pytest.raises(TraceInvalid, match="--format"):
        format_of(tmp_path / "a.xlsx")


def test_the_commands(trace, tmp_path, capsys):
    path, out = str(trace.path), str(tmp_path / "x.csv")
    assert main(["trace", "export", path, "-o", out]) == 0
    assert "2 requests" in capsys.readouterr().out
    assert main(["trace", "show", path]) == 0
    shown = capsys.readouterr().out
    assert "2 requests in 1.5 s since 2026-01-01" in shown
    assert "1  POST compute /v2.1/servers" in shown
    assert "1 of 2: no token" in shown
    assert main(["trace", "show", path, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["requests"], told["users"], told["header"]["source"]) == (2, 1, "serve")
    assert main(["trace", "show", path, "--lines", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == "/"
    assert main(["trace", "validate", path]) == 0
    assert "2 requests, 0 faults" in capsys.readouterr().out
    assert main(["trace", "validate"]) == 2
    assert main(["trace", "validate", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$defs"]["Line"]


def test_a_trace_with_a_fault_is_told(tmp_path, capsys):
    with TraceWriter(tmp_path / "t.jsonl", HEADER) as out:
        out.add(Line(at=-1, method="GET", path="/", status=200))
    assert main(["trace", "validate", str(tmp_path / "t.jsonl")]) == 1
    assert "t.jsonl:2: at is -1" in capsys.readouterr().err
