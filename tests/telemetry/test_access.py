"""Access lines: what they say, and how they reach a file, a pipe, or nothing, without anybody waiting."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from oidproxy.telemetry import access
from oidproxy.telemetry.access import AccessLine, AccessLog

TOKEN = "gAAAAABnQ2xvdWQtb25lLXRva2VuLXRoYXQtaXMtbG9uZw"


def line(**more) -> AccessLine:
    given = {
        "time": 1_700_000_000_000_000_000,
        "request_id": "req-1",
        "listener": "127.0.0.1:8888",
        "peer": "10.0.0.9",
        "method": "GET",
        "path": "/compute/v2.1/servers",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 1413,
        "ms": 1.5,
    }
    return AccessLine(**{**given, **more})


def lines(path):
    return [json.loads(one) for one in path.read_text().splitlines()]


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_a_line_is_one_line_of_json_without_what_is_not_known(tmp_path):
    path = tmp_path / "access.log"
    log = AccessLog.open(str(path))
    log.write(line(cloud="cloud-1", scope="image:cloud-999", carrier="header", attempts=2, lost=True))
    log.flush()
    (written,) = lines(path)
    assert written == {
        "time": 1_700_000_000_000_000_000,
        "request_id": "req-1",
        "listener": "127.0.0.1:8888",
        "peer": "10.0.0.9",
        "method": "GET",
        "path": "/compute/v2.1/servers",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 1413,
        "ms": 1.5,
        "cloud": "cloud-1",
        "carrier": "header",
        "scope": "image:cloud-999",
        "attempts": 2,
        "lost": True,
    }


def test_a_line_is_redacted_whoever_makes_it():
    made = line(path=f"/v2.0/tokens/{TOKEN}?temp_url_sig=hidden", agent=f"curl {TOKEN}")
    assert TOKEN not in repr(made)
    assert "hidden" not in repr(made)


def test_what_clients_choose_is_cut():
    made = line(path="/" + "a/" * 4000, agent="x y" * 1000)
    assert len(made.path) == access.PATH_AT_MOST
    assert len(made.agent) == access.AGENT_AT_MOST
    assert made.path.endswith("…")


def test_the_file_is_for_its_owner_only(tmp_path):
    path = tmp_path / "access.log"
    AccessLog.open(str(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symbolic_link_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        AccessLog.open(str(tmp_path / "link"))


def test_lines_are_written_together(tmp_path):
    path = tmp_path / "access.log"
    log = AccessLog.open(str(path))
    log.write(line())
    assert path.read_text() == ""
    while not path.read_text():
        log.write(line())
    assert len(path.read_bytes()) >= access.FLUSH_AT
    written = len(lines(path))
    log.write(line(request_id="last"))
    log.close()
    assert [len(lines(path)), lines(path)[-1]["request_id"]] == [written + 1, "last"]


def test_after_close_nothing_is_written_and_nothing_fails(tmp_path):
    log = AccessLog.open(str(tmp_path / "access.log"))
    log.close()
    log.write(line())
    log.flush()
    log.close()


def test_a_moved_file_is_opened_anew(tmp_path):
    path = tmp_path / "access.log"
    log = AccessLog.open(str(path))
    log.write(line(request_id="first"))
    path.rename(tmp_path / "old.log")
    log.reopen()
    log.write(line(request_id="second"))
    log.close()
    assert [one["request_id"] for one in lines(tmp_path / "old.log")] == ["first"]
    assert [one["request_id"] for one in lines(path)] == ["second"]


def test_a_file_that_cannot_be_opened_anew_leaves_the_old_one(tmp_path):
    path = tmp_path / "logs" / "access.log"
    path.parent.mkdir()
    log = AccessLog.open(str(path))
    path.parent.rename(tmp_path / "moved")
    with pytest.raises(OSError, match="No such"):
        log.reopen()
    log.write(line())
    log.close()
    assert len(lines(tmp_path / "moved" / "access.log")) == 1


def test_no_log_at_all():
    log = AccessLog.open("")
    log.write(line())
    log.flush()
    assert log.dropped == 0


def test_several_processes_share_a_file(tmp_path):
    path = tmp_path / "access.log"
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.telemetry.test_access import line, AccessLog\n"
        "log = AccessLog.open(sys.argv[1])\n"
        "for number in range(2000): log.write(line(request_id=sys.argv[2], bytes_in=number))\n"
        "log.close()"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), str(one)]) for one in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    for one in range(3):
        assert [said["bytes_in"] for said in lines(path) if said["request_id"] == str(one)] == list(
            range(2000)
        )


class TestStalledSinks:
    def test_a_pipe_that_nobody_reads_holds_nobody_up(self, pipe):
        _, write = pipe
        log = AccessLog(write)
        for _ in range(10_000):
            log.write(line())
        assert log.dropped > 0
        assert log._size <= access.BUFFER_AT_MOST

    def test_what_was_taken_arrives_whole_once_it_is_read(self, pipe):
        read, write = pipe
        log = AccessLog(write)
        total = 10_000
        for number in range(total):
            log.write(line(bytes_in=number))
        os.set_blocking(read, False)
        arrived = b""
        for _ in range(1000):
            log.flush()
            try:
                arrived += os.read(read, 1 << 20)
            except BlockingIOError:
                break
        numbers = [json.loads(one)["bytes_in"] for one in arrived.splitlines()]
        assert len(numbers) == total - log.dropped
        assert numbers == sorted(numbers)
        assert log._size == 0

    def test_a_reader_that_is_gone_is_no_error(self):
        read, write = os.pipe()
        os.close(read)
        log = AccessLog(write)
        log.write(line())
        log.flush()
        os.close(write)

    def test_no_line_is_longer_than_a_pipe_takes_at_once(self, pipe):
        read, write = pipe
        log = AccessLog(write)
        log.write(
            line(path="/" + '"' * 8000, agent='"' * 8000, scope='"' * 1000, home='"' * 900, caller='"' * 900)
        )
        log.flush()
        data = os.read(read, 1 << 16)
        assert len(data) <= access.LINE_AT_MOST
        assert json.loads(data)["status"] == 200

    def test_a_full_disk_costs_lines_but_tears_none_that_follow(self, tmp_path, monkeypatch):
        path = tmp_path / "access.log"
        log = AccessLog.open(str(path))
        write = os.write
        log.write(line(request_id="one"))
        log.write(line(request_id="two"))
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:-30]))
        log.flush()
        monkeypatch.setattr(os, "write", write)
        assert log.dropped == 1
        log.write(line(request_id="three"))
        log.close()
        first, torn, third = path.read_text().splitlines()
        assert json.loads(first)["request_id"] == "one"
        assert torn.startswith('{"time"')
        assert json.loads(third)["request_id"] == "three"

    def test_a_disk_that_takes_nothing_is_tried_again(self, tmp_path, monkeypatch):
        path = tmp_path / "access.log"
        log = AccessLog.open(str(path))
        log.write(line())

        def full(descriptor, data):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            log.flush()
        log.close()
        assert len(lines(path)) == 1
