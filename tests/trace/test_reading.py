"""Traces are written and read back; what is broken is named, what was cut off is told."""

from __future__ import annotations

import os
import stat
from random import Random

import pytest

from oidproxy.errors import TraceInvalid
from oidproxy.trace.checking import check
from oidproxy.trace.line import Header, Line
from oidproxy.trace.reading import open_trace
from oidproxy.trace.sorting import in_order
from oidproxy.trace.writing import TraceWriter, compressing

HEADER = Header(oidproxy_trace=1, began="2026-01-01T00:00:00Z", source="csv")


def line(at: int, **more) -> Line:
    return Line(at=at, method="GET", path="/v2/images", status=200, **more)


def written(path, *lines: Line, **header):
    with TraceWriter(
        path, Header(**{"oidproxy_trace": 1, "began": HEADER.began, "source": "csv", **header})
    ) as out:
        for one in lines:
            out.add(one)
    return path


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.zst"])
def test_what_was_written_is_read(tmp_path, name):
    first = line(0, steps={"done": 3}, made=["a"], names={"a": "b"}, request_body={"x": [1, None]})
    path = written(tmp_path / name, first, line(5, n=1))
    trace = open_trace(path)
    assert trace.header == HEADER
    assert list(trace.lines()) == [first, line(5, n=1)]
    assert list(trace.lines()) == [first, line(5, n=1)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_overwritten_unless_that_is_wanted(tmp_path):
    path = written(tmp_path / "t.jsonl", line(0))
    with pytest.raises(FileExistsError):
        TraceWriter(path, HEADER)
    TraceWriter(path, HEADER, replace=True).close()
    assert list(open_trace(path).lines()) == []


def test_a_link_is_not_written_through(tmp_path):
    target = tmp_path / "target"
    (tmp_path / "t.jsonl").symlink_to(target)
    for replace in (False, True):
        with pytest.raises(OSError):
            TraceWriter(tmp_path / "t.jsonl", HEADER, replace=replace)
    assert not target.exists()


def test_another_name_is_no_traces(tmp_path):
    with pytest.raises(TraceInvalid, match=r"ends in \.jsonl"):
        TraceWriter(tmp_path / "t.json", HEADER)


def test_a_recordings_lines_are_sorted_and_numbered(tmp_path):
    recording = {"recording": "r", "sorted": False, "source": "serve"}
    written(tmp_path / "worker-0-00001.jsonl.zst", line(7), line(2), clouds=["a"], **recording)
    written(tmp_path / "worker-0-00002.jsonl", line(1), **recording)
    written(tmp_path / "worker-1-00001.jsonl.zst", line(5), line(3), clouds=["b"], **recording)
    trace = open_trace(tmp_path)
    assert [(one.n, one.at) for one in trace.lines()] == [(0, 1), (1, 2), (2, 3), (3, 5), (4, 7)]
    assert trace.header.clouds == ["a", "b"]


def test_more_lines_than_are_held_are_sorted_too():
    lines = [((number * 7919) % 1000, b"%d" % number) for number in range(1000)]
    found = list(in_order(iter(lines), held=500))
    assert found == [data for _, data in sorted(lines, key=lambda one: one[0])]


def test_lines_of_the_same_time_stay_as_they_came():
    lines = [(0, b"%d" % number) for number in range(300)]
    assert list(in_order(iter(lines), held=200)) == [data for _, data in lines]


def test_a_folder_of_several_traces_says_which_there_are(tmp_path):
    written(tmp_path / "a.jsonl", line(0))
    written(tmp_path / "b.jsonl", line(0))
    with pytest.raises(TraceInvalid, match=r"a\.jsonl, b\.jsonl"):
        open_trace(tmp_path)


def test_a_folder_of_recordings_leads_to_the_only_one_there_is(tmp_path):
    (tmp_path / "one").mkdir()
    written(tmp_path / "one" / "worker-0-00001.jsonl", line(4), recording="r", sorted=False)
    assert [one.at for one in open_trace(tmp_path).lines()] == [4]
    (tmp_path / "two").mkdir()
    written(tmp_path / "two" / "worker-0-00001.jsonl", line(4), recording="s", sorted=False)
    with pytest.raises(TraceInvalid, match="one, two"):
        open_trace(tmp_path)


def test_a_broken_line_is_named(tmp_path):
    path = written(tmp_path / "t.jsonl", line(0), line(1))
    with path.open("ab") as file:
        file.write(b'{"at": "soon", "method": "GET", "path": "/", "status": 200}\n')
    with pytest.raises(TraceInvalid) as caught:
        list(open_trace(path).lines())
    assert (caught.value.file, caught.value.line) == (str(path), 4)
    assert caught.value.message.startswith(f"{path}:4: ")


def test_a_broken_line_of_a_recording_is_named_too(tmp_path):
    path = written(tmp_path / "t.jsonl", line(3), recording="r", sorted=False)
    with path.open("ab") as file:
        file.write(b'{"at": 1, "method": "GET", "path": 7, "status": 200}\n')
    with pytest.raises(TraceInvalid) as caught:
        list(open_trace(tmp_path).lines())
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"GET / HTTP/1.1\n", "trace import"),
        (b'{"log": {"entries": []}}\n', "trace import"),
        (b'{"oidproxy_trace": 2, "began": "x", "source": "y"}\n', "version 2"),
    ],
)
def test_what_is_no_trace_is_told(tmp_path, content, said):
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    with pytest.raises(TraceInvalid, match=said):
        open_trace(path)


def test_what_is_not_compressed_is_told(tmp_path):
    path = tmp_path / "t.jsonl.zst"
    path.write_bytes(b'{"oidproxy_trace": 1}\n')
    with pytest.raises(TraceInvalid, match="not compressed"):
        open_trace(path)


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.zst"])
def test_what_a_killed_writer_left_is_read(tmp_path, name):
    random = Random(1)
    lines = [line(at, request_id=random.randbytes(40).hex()) for at in range(5000)]
    path = written(tmp_path / name, *lines)
    os.truncate(path, path.stat().st_size - 7)
    trace = open_trace(path)
    found = list(trace.lines())
    assert found == lines[: len(found)]
    assert 1000 < len(found) < 5000
    assert trace.cut == [path]


def test_what_ends_with_a_line_and_not_with_its_frame_was_cut_too(tmp_path):
    path = tmp_path / "t.jsonl.zst"
    with path.open("wb") as file:
        writer = compressing(file)
        writer.write(b'{"oidproxy_trace":1,"began":"2026-01-01T00:00:00Z","source":"serve"}\n')
        for at in range(3):
            writer.flush()
            writer.write(b'{"at":%d,"method":"GET","path":"/","status":200}\n' % at)
        writer.close()
    whole, size = path.read_bytes(), path.stat().st_size
    counts = {}
    for left in range(40, size):
        path.write_bytes(whole[:left])
        checked = check(path) if _has_header(path) else None
        if checked is not None:
            assert checked.cut == [path], left
            counts[checked.lines] = left
    assert set(counts) >= {0, 1, 2}
    path.write_bytes(whole + whole)
    trace = open_trace(path)
    assert [number for _, number, _ in trace.raw()] == [2, 3, 4, 5, 6, 7, 8]
    assert trace.cut == []


def _has_header(path) -> bool:
    try:
        open_trace(path)
    except TraceInvalid:
        return False
    return True


@pytest.mark.parametrize("is_sorted", [True, False])
def test_a_line_that_is_too_deep_is_named(tmp_path, is_sorted):
    path = written(tmp_path / "t.jsonl", line(0), sorted=is_sorted)
    with path.open("ab") as file:
        file.write(b'{"at":1,"request_body":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    with pytest.raises(TraceInvalid, match=r"t\.jsonl:3: "):
        list(open_trace(path).lines())
    assert check(path).faults == 1


def test_fields_of_a_later_release_are_skipped(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(
        b'{"oidproxy_trace": 1, "began": "2026-01-01T00:00:00Z", "source": "serve", "new": 1}\n'
        b'{"at": 0, "method": "GET", "path": "/", "status": 200, "newer": [2]}\n'
    )
    assert [one.path for one in open_trace(path).lines()] == ["/"]


def test_checking_tells_what_cannot_be(tmp_path):
    path = written(
        tmp_path / "t.jsonl",
        line(5),
        line(4),
        Line(at=6, method="GET", path="images?x", status=999, steps={"arrived": 1, "done": -1}, bytes_in=-1),
    )
    with path.open("ab") as file:
        file.write(b"{}\n")
    found = check(path)
    assert (found.lines, found.faults) == (4, 8)
    assert found.shown[0] == f"{path}:3: it began before the line above it, and the header says sorted"
    assert all(one.startswith(str(path)) for one in found.shown)
