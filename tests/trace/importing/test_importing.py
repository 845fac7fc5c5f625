"""From a file to a trace: in order, numbered, with an account of it all."""

from __future__ import annotations

import pytest

from oidproxy.cli.main import main
from oidproxy.errors import TraceInvalid
from oidproxy.trace.checking import check
from oidproxy.trace.importing import importing
from oidproxy.trace.importing.importing import format_of, import_trace
from oidproxy.trace.importing.terms import Options
from oidproxy.trace.line import Header, Line
from oidproxy.trace.reading import open_trace
from oidproxy.trace.writing import TraceWriter
from tests.trace.importing.test_wsgi import logged


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "nova-api.log"
    path.write_text(
        logged("GET /v2.1/servers/detail", time="2017-05-16 00:00:02.000")
        + "something else\n"
        + logged("POST /v2.1/servers", time="2017-05-16 00:00:01.000")
        + logged(rest="broken")
    )
    return path


def test_lines_are_in_order_and_numbered(log, tmp_path):
    out = tmp_path / "t.jsonl.zst"
    account = import_trace(log, out, "wsgi", Options(cloud="paris"))
    trace = open_trace(out)
    lines = list(trace.lines())
    assert [(line.n, line.at, line.method) for line in lines] == [(0, 0, "POST"), (1, 10**9, "GET")]
    assert (trace.header.source, trace.header.began) == ("wsgi", "2017-05-16T00:00:00.750000Z")
    assert trace.header.clouds == ["paris"]
    assert (account.lines, account.others, account.broken) == (2, 1, 1)
    assert account.made_up == {"token": 2, "bytes_in": 1, "request_body": 1, "answer_body": 1}
    assert account.nanoseconds == 10**9
    assert check(out).faults == 0


def test_strict_ends_at_the_first_broken_line(log, tmp_path):
    with pytest.raises(TraceInvalid) as caught:
        import_trace(log, tmp_path / "t.jsonl", "wsgi", Options(), strict=True)
    assert (caught.value.file, caught.value.line) == (str(log), 4)
    assert not (tmp_path / "t.jsonl").exists()


def test_a_file_without_a_request_says_what_is_wrong(tmp_path):
    path = tmp_path / "x.log"
    path.write_text("nothing\n")
    with pytest.raises(TraceInvalid, match="no request in it"):
        import_trace(path, tmp_path / "t.jsonl", "wsgi", Options())
    path.write_text(logged(rest="broken"))
    with pytest.raises(TraceInvalid, match="line 1: expected"):
        import_trace(path, tmp_path / "t.jsonl", "wsgi", Options())


def test_what_is_told_one_by_one_is_bounded(tmp_path):
    path = tmp_path / "x.log"
    path.write_text(logged(rest="broken") * 500 + logged())
    account = import_trace(path, tmp_path / "t.jsonl", "wsgi", Options())
    assert (account.broken, len(account.named)) == (500, importing.NAMED)


def test_more_than_is_held_is_sorted(tmp_path, monkeypatch):
    monkeypatch.setattr("oidproxy.trace.sorting.HELD", 2000)
    path = tmp_path / "x.log"
    path.write_text(
        "".join(logged(time=f"2017-05-16 00:00:{59 - number % 60:02}.000") for number in range(300))
    )
    import_trace(path, tmp_path / "t.jsonl", "wsgi", Options())
    lines = list(open_trace(tmp_path / "t.jsonl").lines())
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert [line.n for line in lines] == list(range(300))


def test_a_recording_becomes_one_file(tmp_path):
    folder = tmp_path / "recording"
    folder.mkdir()
    header = Header(
        oidproxy_trace=1,
        began="2026-01-01T00:00:00.5Z",
        source="serve",
        sorted=False,
        recording="r",
        bodies=True,
    )
    for worker, times in enumerate([(9, 4), (6,)]):
        with TraceWriter(folder / f"worker-{worker}-00001.jsonl.zst", header) as out:
            for at in times:
                out.add(Line(at=at * 1000, method="GET", path="/", status=200, request_body={"a": worker}))
    account = import_trace(folder, tmp_path / "t.jsonl", format_of(folder), Options())
    trace = open_trace(tmp_path / "t.jsonl")
    assert account.lines == 3
    assert [(line.n, line.at, line.request_body) for line in trace.lines()] == [
        (0, 0, {"a": 0}),
        (1, 2000, {"a": 1}),
        (2, 5000, {"a": 0}),
    ]
    assert (trace.header.source, trace.header.sorted, trace.header.bodies) == ("serve", True, True)


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.har", "har"), ("a.gor.gz", "gor"), ("a.log", "wsgi"), ("a.csv", "csv"), ("a.jsonl.zst", "oidproxy")],
)
def test_names_tell_formats(tmp_path, name, form):
    assert format_of(tmp_path / name) == form


def test_a_name_that_tells_nothing_asks_for_the_format(tmp_path):
    with pytest.raises(TraceInvalid, match="--format"):
        format_of(tmp_path / "a.txt")


def test_the_command_says_what_was_made_up(log, tmp_path, capsys):
    assert main(["trace", "import", str(log), "-o", str(tmp_path / "t.jsonl")]) == 0
    out, err = capsys.readouterr()
    assert "2 requests in 1.0 s (2 compute)" in out
    assert "all: no token" in out
    assert "1 of 2: no request body" in out
    assert f"{log}:4: expected" in err
    assert "1 lines could not be read" in err
    assert main(["trace", "import", str(log), "-o", str(tmp_path / "t.jsonl")]) == 2
    assert "File exists" in capsys.readouterr().err
    assert main(["trace", "import", str(log), "-o", str(tmp_path / "t.jsonl"), "--force", "--strict"]) == 2
    assert f"{log}:4: expected" in capsys.readouterr().err
