"""`oidproxy demo`: it ends well only if what it shows really happened, and leaves nothing running."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from oidproxy.cli.demonstration import story
from oidproxy.cli.demonstration.calls import Call
from oidproxy.cli.demonstration.downloads import Download
from oidproxy.cli.demonstration.story import Image, judge
from oidproxy.cli.main import main
from tests.integration.sdk import opened

pytestmark = [
    pytest.mark.filterwarnings("ignore:::openstack"),
    pytest.mark.slow,
]

PROGRAM = str(Path(sys.executable).with_name("oidproxy"))


def test_it_shows_three_servers_whose_bytes_only_the_other_cloud_had(tmp_path):
    done = subprocess.run(
        [PROGRAM, "demo", "--folder", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert len(re.findall(r"\| status +\| ACTIVE ", done.stdout)) == 3, "the client's own output"
    assert done.stdout.count("$ openstack ") == 3
    digest = hashlib.sha256((tmp_path / "cirros.img").read_bytes()).hexdigest()
    size = f"{(tmp_path / 'cirros.img').stat().st_size:,}"
    row = rf"nova@cloud-1 +image +cloud-999 +GET /v2/images/\w+…/file +token +200 +{size} "
    assert len(re.findall(row, done.stdout)) == 3
    assert done.stdout.count(f"{size} bytes reached compute, sha256 {digest}") == 3
    heads = [line.split() for line in done.stdout.splitlines() if line.lstrip().startswith("#")]
    assert heads == [["#", "from", "to", "cloud", "call", "why", "status", "bytes", "ms"]] * 3
    assert "FAILED" not in done.stdout


@pytest.fixture
def spoiled(monkeypatch, tmp_path, capfd):
    """Runs the demonstration with something done to its lab when that is ready; the status and the output."""

    def run(spoil):
        acts = story.acts

        def spoil_then_act(lab):
            spoil(lab)
            return acts(lab)

        monkeypatch.setattr(story, "acts", spoil_then_act)
        status = main(["demo", "--folder", str(tmp_path), "--image-size", "1"])
        return status, capfd.readouterr().out

    return run


def test_it_fails_without_the_proxy(spoiled):
    status, out = spoiled(lambda lab: lab.stop_proxy())
    assert status == 1
    assert "FAILED: the client ended with status 1" in out
    assert "FAILED: the server is unknown, not ACTIVE" in out
    assert out.count("=== ") == 1, "the first failure is the end"


def test_it_fails_without_the_image_at_the_other_cloud(spoiled):
    status, out = spoiled(without_image)
    assert status == 1
    assert "FAILED: the client ended with status 1" in out
    assert "FAILED: the image's bytes were not read from cloud-999" in out


def without_image(lab):
    with opened(lab) as sdk:
        admin = sdk("cloud-999", user="admin")
        admin.image.delete_image(admin.image.find_image("cirros", ignore_missing=False))


IMAGE = Image(Path("cirros.img"), 5, "d1")
FETCHED = Download(5, "d1")
READ = Call("nova@cloud-1", "image", "cloud-999", "GET", "/v2/images/1/file", "token", 200, 5, 1.0)


def test_what_is_judged_good():
    assert list(judge("ACTIVE", IMAGE, [FETCHED], [READ])) == []


@pytest.mark.parametrize(
    ("shown", "fetched", "read"),
    [
        ("BUILD", FETCHED, READ),
        ("", FETCHED, READ),
        ("ACTIVE", replace(FETCHED, sha256="d2"), READ),
        ("ACTIVE", replace(FETCHED, size=4), READ),
        ("ACTIVE", FETCHED, replace(READ, cloud="cloud-1")),
        ("ACTIVE", FETCHED, replace(READ, status=206)),
        ("ACTIVE", FETCHED, replace(READ, size=4)),
        ("ACTIVE", FETCHED, replace(READ, path="/v2/images/1")),
        ("ACTIVE", FETCHED, replace(READ, service="compute")),
    ],
)
def test_one_thing_amiss_is_a_failure(shown, fetched, read):
    assert len(list(judge(shown, IMAGE, [fetched], [read]))) == 1


@pytest.mark.parametrize(
    ("moment", "processes"),
    [("Starting two clouds", 2), ("Starting the proxy", 3), ("$ openstack", 5)],
    ids=["clouds", "proxy", "client"],
)
def test_a_signal_ends_it_with_all_that_it_started(tmp_path, moment, processes):
    command = [PROGRAM, "demo", "--folder", str(tmp_path), "--image-size", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout
        assert any(line.startswith(moment) for line in demo.stdout)
        started = all_started(psutil.Process(demo.pid), processes)
        os.kill(demo.pid, signal.SIGTERM)
        said = demo.stdout.read()
        assert demo.wait(30) == 130
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(started, timeout=5)
    assert alive == []


def all_started(demo, number):
    """What the demonstration has started, once it is as many."""
    deadline = time.monotonic() + 20
    while len(started := demo.children(recursive=True)) < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return started
