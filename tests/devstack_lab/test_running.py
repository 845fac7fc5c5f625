"""What is stopped, and what is left alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from devstack.lab import running, testing
from devstack.lab.addresses import require_free
from devstack.lab.cache import Cache
from devstack.lab.failure import LabError
from devstack.lab.layout import REPOSITORY
from devstack.lab.processes import Background, stop
from devstack.lab.progress import Progress
from devstack.lab.proxy import Proxy
from devstack.lab.services import all_of

ENV = {"PATH": "/usr/bin:/bin"}
SLEEP = ["/usr/bin/sleep", "600"]


@pytest.fixture
def started():
    """Starts processes that only wait; none outlives the test."""
    known = []

    def start(process, argv=SLEEP):
        assert process.start(argv, ENV)
        known.append(process)
        return process.pid

    yield start
    stop(known)


def service(lab, place, name):
    return next(one.process for one in all_of(lab, place) if one.name == name)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_clouds_beyond_those_asked_for_are_stopped_and_the_others_go_on(lab, edges, started):
    kept = service(lab, lab.cloud(1), "glance-api")
    gone = [service(lab, place, "glance-api") for place in (lab.cloud(3), *edges)]
    gone.append(Proxy(lab, edge=True).process)
    for one in (kept, *gone):
        started(one)
    running.stop_others(lab, lab.clouds(2))
    assert kept.pid
    assert [one.pid for one in gone] == [None] * 5


def test_clouds_that_nobody_reconfigured_go_on_when_they_are_asked_for(lab, edges, started):
    wanted = [service(lab, edges[1], "glance-api"), Proxy(lab, edge=True).process]
    for one in wanted:
        started(one)
    running.stop_others(lab, (*lab.clouds(2), *edges))
    assert all(one.pid for one in wanted)


def test_down_stops_every_process_of_the_lab_with_its_children_and_no_other(lab, edges, started, tmp_path):
    child = tmp_path / "child"
    script = f"/usr/bin/sleep 600 & echo $! > {child}; wait"
    parents = [service(lab, edges[0], "nova-compute"), Proxy(lab).process]
    started(parents[0], ["/bin/sh", "-c", script])
    started(parents[1])
    stranger = started(Background("glance-api", tmp_path / "another-lab"))
    while not (child.exists() and child.read_text()):
        time.sleep(0.02)
    running.down(lab, Progress())
    assert [one.pid for one in parents] == [None, None]
    deadline = time.monotonic() + 5
    while alive(int(child.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert alive(stranger)


def test_an_id_that_somebody_else_has_by_now_is_not_stopped(lab, started):
    mine = service(lab, lab.cloud(1), "glance-api")
    pid = started(Background("stranger", lab.state))
    mine.folder.mkdir(parents=True)
    mine.record.write_text(f"{pid} 1\n")
    assert mine.pid is None
    running.down(lab, Progress())
    assert alive(pid)


def test_status_says_what_does_not_run_of_what_should(lab, started, capsys):
    lab.remember(lab.clouds(1))
    lab.cloud(3).folder.mkdir()
    started(service(lab, lab.cloud(1), "keystone"))
    assert running.status(lab) == 3
    told = capsys.readouterr().out
    assert "keystone              running, pid" in told
    assert f"glance-api            stopped ({lab.cloud(1).logs / 'glance-api.log'})" in told
    assert "cloud-3  not part of the lab" in told


def test_an_address_that_somebody_else_has_is_refused_before_anything_starts():
    with socket.create_server(("127.77.1.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LabError, match=rf"taken by somebody else: 127\.77\.1\.1:{port}\n.*LAB_NETWORK="):
            require_free([("127.77.1.1", port)])


@pytest.fixture
def lab_that_comes_up(lab, started, monkeypatch):
    """Coming up is one process that waits."""
    monkeypatch.setattr(testing.packages, "install", lambda *_: None)
    monkeypatch.setattr(testing.Up, "run", lambda self: started(Proxy(lab).process))
    monkeypatch.setenv("LAB_MEMCACHED", "")
    return lab


@pytest.mark.parametrize(("text", "status"), [("pass", 0), ("assert False", 1)])
def test_lab_test_ends_with_the_status_of_the_tests_and_nothing_runs(
    lab_that_comes_up, tmp_path, text, status
):
    file = tmp_path / "test_one.py"
    file.write_text(f"import os\n\n\ndef test():\n    assert os.environ['OIDPROXY_LAB']\n    {text}\n")
    arguments = ["-c", os.devnull, "-p", "no:cacheprovider", str(file)]
    assert testing.test(lab_that_comes_up, arguments, Progress()) == status
    assert Proxy(lab_that_comes_up).process.pid is None


def test_all_of_it_runs_once_with_a_cache_for_all_clouds_and_once_without(lab_that_comes_up, monkeypatch):
    ran = []

    def run(lab, tests):
        ran.append((tests[0], Cache(lab).wanted))
        return len(ran) % 2

    monkeypatch.setattr(testing, "_pytest", run)
    assert testing.test(lab_that_comes_up, [], Progress()) == 1
    assert ran == [("tests/lab", False), ("tests/lab/test_trust.py", True)]
    assert all((REPOSITORY / test).exists() for run in testing.RUNS for test in run.tests if "=" not in test)


def test_where_the_clouds_do_not_come_up_nothing_runs_either(lab_that_comes_up, started, monkeypatch):
    def fail(self):
        started(Proxy(lab_that_comes_up).process)
        raise LabError("glance-api has ended")

    monkeypatch.setattr(testing.Up, "run", fail)
    with pytest.raises(LabError, match="glance-api has ended"):
        testing.test(lab_that_comes_up, [], Progress())
    assert Proxy(lab_that_comes_up).process.pid is None


def test_an_error_is_one_line_for_the_user_and_not_a_traceback(tmp_path):
    command = [sys.executable, "-m", "devstack.lab", "up", "1000"]
    env = {"PATH": os.environ["PATH"], "LAB_STATE": str(tmp_path), "LAB_NETWORK": "127.77"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "lab up: N=1000: expected a number of clouds from 1 to 100"
