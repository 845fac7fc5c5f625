"""What passed the proxy is recorded and replayed: the same statuses, ids remapped, nothing unmatched."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from urllib.error import HTTPError

import pytest

from oidproxy.cli.demonstration.embedded import Embedded
from oidproxy.trace.reading import open_trace
from oidproxy.trace.results.folder import read_summary, read_table
from oidproxy.trace.survey import left_out, survey

SCOPE = "identity:cloud-1;image:cloud-999"


class Caller:
    """Calls the gateway as demo, with a scope."""

    def __init__(self, lab: Embedded) -> None:
        self.gateway = lab.places.gateway_url
        account = lab.account()
        who = {"name": account.user, "domain": {"id": "default"}, "password": account.password}
        project = {"name": account.project, "domain": {"id": "default"}}
        self.login = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": who}},
                "scope": {"project": project},
            }
        }
        self.token = ""

    def sign_in(self) -> None:
        self.token = ""
        _, headers, _ = self("POST", "/identity/v3/auth/tokens", self.login)
        self.token = headers["X-Subject-Token"]

    def __call__(self, method, path, body=None, kind="application/json"):
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        fields = {"X-Scope": SCOPE, "Content-Type": kind}
        if self.token:
            fields["X-Auth-Token"] = self.token
        request = urllib.request.Request(self.gateway + path, data, fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, answer.headers, json.loads(text) if text.startswith(b"{") else text
        except HTTPError as error:
            with error:
                return error.code, error.headers, error.read()


def session(call: Caller) -> None:
    """Boots a server from an image of another cloud, makes a network, uploads an image, deletes them."""
    call.sign_in()
    _, _, images = call("GET", "/image/v2/images?name=cirros")
    _, _, flavors = call("GET", "/compute/v2.1/flavors")
    flavor = next(one["id"] for one in flavors["flavors"] if one["name"] == "m1.small")
    _, _, network = call("POST", "/network/v2.0/networks", {"network": {"name": "n1"}})
    network = network["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.77.0.0/24", "name": "s1"}
    call("POST", "/network/v2.0/subnets", {"subnet": subnet})
    body = {
        "name": "web",
        "imageRef": images["images"][0]["id"],
        "flavorRef": flavor,
        "networks": [{"uuid": network}],
    }
    _, _, server = call("POST", "/compute/v2.1/servers", {"server": body})
    server = server["server"]["id"]
    for _ in range(100):
        _, _, shown = call("GET", f"/compute/v2.1/servers/{server}")
        if shown["server"]["status"] == "ACTIVE":
            break
        time.sleep(0.1)
    call.sign_in()
    call("GET", "/compute/v2.1/servers?name=%5Eweb%24")
    call("DELETE", f"/compute/v2.1/servers/{server}")
    _, _, image = call(
        "POST", "/image/v2/images", {"name": "i1", "disk_format": "raw", "container_format": "bare"}
    )
    call("PUT", f"/image/v2/images/{image['id']}/file", b"x" * 70_000, "application/octet-stream")
    call("DELETE", f"/image/v2/images/{image['id']}")
    assert call("GET", f"/image/v2/images/{image['id']}")[0] == 404


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, image):
    """A running lab, and the trace of one session in it."""
    base = tmp_path_factory.mktemp("replay")
    record = f"record: {{folder: {base}/traces, on: true, bodies: true}}\n"
    lab = Embedded(base / "lab", images={"cloud-999": {"cirros": image.path}}, more=record)
    lab.start()
    try:
        session(Caller(lab))
        (folder,) = (base / "traces").iterdir()
        trace = base / "trace"
        for _ in range(100):
            shutil.rmtree(trace, ignore_errors=True)
            shutil.copytree(folder, trace)
            if any(line.status == 404 and not left_out(line) for line in open_trace(trace).lines()):
                break
            time.sleep(0.1)
        yield lab, trace
    finally:
        lab.stop()


def replay(lab, trace, out, *more, wait=True):
    environment = lab.environment("cloud-1", auth_url=f"{lab.places.gateway_url}/identity/v3")
    del environment["OS_REGION_NAME"]
    command = [sys.executable, "-m", "oidproxy", "trace", "replay", str(trace), "--out", str(out), *more]
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return _ended(process) if wait else process


def _ended(process):
    text = process.communicate(timeout=120)[0]
    return process.returncode, text


def test_the_same_statuses_with_other_ids_and_nothing_unmatched(recorded, tmp_path):
    lab, trace = recorded
    status, text = replay(lab, trace, tmp_path / "out", "--speed", "4", "--suffix=-again")
    assert status == 0, text
    summary = read_summary(tmp_path / "out")
    found = survey(open_trace(trace).lines())
    assert summary["unmatched"] == 0, summary["not_sent"]
    assert summary["requests"] == summary["sent"] == found.requests >= 15
    assert summary["other_status"] == 0, summary["answered_otherwise"]
    assert {row["recorded"] for row in summary["statuses"]} >= {200, 201, 202, 204, 404}
    assert sum(summary["left_out"].values()) == sum(found.left_out.values()) > 0
    assert {(row["service"], row["cloud"]) for row in summary["services"]} >= {
        ("image", "cloud-999"),
        ("compute", "cloud-1"),
    }
    password = lab.account().password
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or password.encode() not in path.read_bytes()


def test_a_replay_that_is_stopped_keeps_what_it_has_and_goes_on(recorded, tmp_path):
    lab, trace = recorded
    out = tmp_path / "out"
    process = replay(lab, trace, out, "--speed", "0.5", "--suffix=-stopped", wait=False)
    sent = lab.access_log.read_text().count("oidproxy-replay")
    while lab.access_log.read_text().count("oidproxy-replay") < sent + 6:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    status, text = _ended(process)
    assert status == 1, text
    assert "--resume" in text
    before = len(read_table(out))
    assert (out / "report.html").exists()
    status, text = replay(lab, trace, out, "--speed", "0.5", "--suffix=-stopped", "--resume")
    assert status == 0, text
    summary = read_summary(out)
    assert before < summary["requests"] == survey(open_trace(trace).lines()).requests
    assert (summary["unmatched"], summary["other_status"]) == (0, 0), summary["answered_otherwise"]
    assert not (out / "resume.json").exists()
