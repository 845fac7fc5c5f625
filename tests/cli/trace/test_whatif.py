"""`oidproxy trace whatif`, as a command."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from oidproxy.cli.main import main
from oidproxy.cli.trace.whatif import add_arguments
from tests.trace.virtual.rig import line, written

MAP = "image:* -> cloud-3"


@pytest.fixture
def trace(tmp_path):
    path = "/v2/images"
    return written(
        tmp_path, [line(n, n, path, scope="image:cloud-2") for n in range(3)] + [line(3, 3, "/", service="")]
    )


def test_results_say_how_to_make_them_again_and_what_was_left_out(trace, tmp_path, capsys):
    rtt = tmp_path / "rtt.yaml"
    rtt.write_text("default_delay: 5ms\n")
    out = tmp_path / "out"
    given = ["--rtt", str(rtt), "--map-scope", MAP, "--outage", "cloud-3@2s..9s", "--seed", "4"]
    assert main(["trace", "whatif", str(trace), "-o", str(out), "--no-pictures", *given]) == 0
    assert "3 requests in" in capsys.readouterr().out
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["kind"] == "virtual"
    assert manifest["command"][:6] == ["oidproxy", "trace", "whatif", "trace.jsonl", "--rtt", "rtt.yaml"]
    assert manifest["command"][6:] == ["--map-scope", MAP, "--outage", "cloud-3@2s..9s", "--seed", "4"]
    assert "began" not in manifest
    summary = json.loads((out / "summary.json").read_text())
    assert summary["requests"] == 3
    assert summary["left_out"] == {"what the proxy answers itself": 1}
    assert summary["failed"] == 1
    assert summary["moved"].keys() == {"cloud-3"}


def test_every_option_is_documented():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    text = (Path(__file__).parents[3] / "docs" / "what-if.md").read_text()
    options = {option for action in parser._actions[1:] for option in action.option_strings}
    assert not {option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)}


def test_a_run_that_is_stopped_keeps_what_it_has(trace, tmp_path, monkeypatch):
    from oidproxy.trace.results.folder import Results

    taken = Results.add

    def add(results, outcome):
        if len(results) == 2:
            raise KeyboardInterrupt
        taken(results, outcome)

    monkeypatch.setattr(Results, "add", add)
    assert main(["trace", "whatif", str(trace), "-o", str(tmp_path / "out"), "--no-pictures"]) == 130
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["requests"], summary["left_out"]["stopped before"]) == (2, 1)


def test_the_same_for_simulated_clouds_in_real_time(trace, tmp_path):
    path = tmp_path / "disturbances.yaml"
    assert (
        main(["trace", "whatif", str(trace), "--disturbances", str(path), "--outage", "cloud-3@2s..9s"]) == 0
    )
    assert "fault: dead" in path.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--outage", "cloud-9@1s..2s"], "no cloud is called 'cloud-9'"),
        (["--map-scope", "image"], "a map of scopes is"),
        (["--map-scope", "image:* -> cloud-4"], "cloud-4"),
        (["--map-scope", "imag:* -> cloud-1"], "no cloud has a service 'imag'"),
        (["--map-scope", "image:* -> nearest(@fr)"], "fr"),
        (["--scope", "image:cloud-1;dns:cloud-1"], "no cloud has a service 'dns'"),
        (["--scope", "image:"], "the scope ends"),
        (["--service-time", "soon"], "--service-time: expected a duration"),
        (["--workers", "0"], "--workers"),
        (["--speed", "nan"], "--speed"),
        (["--rtt", "/nowhere/rtt.yaml"], "/nowhere/rtt.yaml"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_written(trace, tmp_path, capsys, options, said):
    assert main(["trace", "whatif", str(trace), "-o", str(tmp_path / "out"), *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
