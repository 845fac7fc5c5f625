"""`oidproxy scope explain`: what it prints, and how it exits."""

from __future__ import annotations

import json

import pytest

from oidproxy.cli.explain import run_explain
from oidproxy.cli.main import main
from oidproxy.errors import OidproxyError, ScopeError

CONFIG = """\
listeners:
  - {bind: "127.0.0.1:8888"}
local: cloud-1
fleet_keys: ["KEY"]
clouds:
  cloud-1: {auth_url: "http://127.0.1.1:5000/v3", upstream: 127.0.1.1, groups: [near]}
  cloud-2:
    auth_url: "http://127.0.1.2:5000/v3"
    upstream: 127.0.1.2
    groups: [far]
    admits: {cloud-1: {roles: [member]}}
  cloud-3: {auth_url: "http://127.0.1.3:5000/v3", upstream: 127.0.1.3, groups: [far]}
""".replace("KEY", "a2" * 64)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "oidproxy.yaml"
    path.write_text(CONFIG)
    return str(path)


def test_without_a_path_every_service_is_told(config, capsys):
    assert run_explain("<glance:cloud-2;nova:cloud-3>", config, "GET", None, False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["scope  compute:cloud-3;image:cloud-2", "home   cloud-1"]
    assert lines[3].split() == ["service", "carrier", "plan", "cloud", "endpoint", "token"]
    rows = [line.split() for line in lines[4:]]
    assert ["image", "header", "cloud-2", "cloud-2", "http://127.0.1.2:9292", "closed"] in rows
    assert ["identity", "token", "cloud-1", "cloud-1", "http://127.0.1.1:5000", "bare"] in rows
    assert ["network", "compute", "cloud-3", "cloud-3", "http://127.0.1.3:9696", "closed"] in rows
    assert "compute: cloud-3 does not admit users of cloud-1." in lines


def test_the_user_is_one_who_logged_in_under_the_scope(config, capsys):
    assert run_explain("*:cloud-2", config, "GET", None, True) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["home"] == "cloud-2"
    assert {row["cloud"] for row in made["services"]} == {"cloud-2"}
    assert {row["token"] for row in made["services"]} == {"sealed", "bare"}


def test_with_a_path_one_request_is_told(config, capsys):
    assert run_explain("image:cloud-2", config, "GET", "/glance/v2/images?limit=1", False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "does   forward /v2/images?limit=1"
    assert lines[-1].split() == ["image", "header", "cloud-2", "cloud-2", "http://127.0.1.2:9292", "closed"]


def test_a_refusal_is_an_answer(config, capsys):
    assert run_explain("image:@far", config, "PUT", "/image/v2/images", False) == 0
    out = capsys.readouterr().out
    assert "does   refuse" in out
    assert "image: 501 The scope binds image to @far, which means 2 clouds" in out


def test_several_clouds_are_told_with_those_left_out(config, capsys):
    assert run_explain("image:*", config, "GET", "/image/v2/images", False) == 0
    out = capsys.readouterr().out
    assert "does   fan-out /v2/images" in out
    assert "image    header   all of cloud-1, cloud-2, cloud-3" in out
    assert "image: cloud-3 is left out: cloud-3 does not admit users of cloud-1" in out


def test_a_path_that_is_refused_is_told_with_the_reason(config, capsys):
    assert run_explain("image:cloud-2", config, "GET", "/nope/v2.1/servers", False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "does   refuse"
    assert lines[-1].startswith("404 No service is served under this path.")
    assert run_explain("image:cloud-2", config, "GET", "/nope/v2.1/servers", True) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["services"], made["request"]["status"]) == ([], 404)
    assert made["request"]["error"] == lines[-1].removeprefix("404 ")


def test_a_path_without_its_slash_is_refused_by_the_name_of_the_option(config, capsys):
    command = ["scope", "explain", "image:cloud-2", "--config", config, "--path", "compute"]
    assert main(command) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("oidproxy scope explain: --path ")
    assert "begins with a slash" in captured.err


def test_a_wrong_scope_is_shown_with_the_service_it_is_bound_to(config, capsys):
    assert main(["scope", "explain", "nova:cloud-2;glance:cloud-99", "--config", config]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "oidproxy scope explain: line 1, column 23: no cloud is called 'cloud-99'",
        "  compute:cloud-2;image:cloud-99",
        "                        ^",
        "did you mean: cloud-1",
    ]


def test_a_scope_under_which_nobody_can_log_in_is_told_as_such(config, capsys):
    assert run_explain("identity:@far", config, "POST", "/identity/v3/auth/tokens", True) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["request"]["decision"] == "refuse"
    assert made["services"][0]["status"] == 400


def test_a_text_of_several_lines_is_one_scope(config, capsys):
    assert run_explain("<image:cloud-2;\n compute:cloud-1>", config, "GET", None, True) == 0
    assert json.loads(capsys.readouterr().out)["scope"] == "compute:cloud-1;image:cloud-2"


@pytest.mark.parametrize("text", ["image:(", "image:cloud-9", "nothing:cloud-1"])
def test_a_scope_that_means_nothing_is_an_error(config, text):
    with pytest.raises(ScopeError):
        run_explain(text, config, "GET", None, False)


@pytest.mark.parametrize(
    ("method", "path"), [("BREW", "/image/v2"), ("GET", "image/v2"), ("GET", "/a\r\nX-Scope: b")]
)
def test_a_request_that_no_proxy_takes_is_an_error(config, method, path):
    with pytest.raises(OidproxyError):
        run_explain("image:cloud-2", config, method, path, False)


def test_by_the_command_line_a_wrong_scope_exits_with_2_and_says_why(config, capsys):
    assert main(["scope", "explain", "image:cloud-9", "--config", config]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "did you mean: cloud-1" in captured.err
    assert (
        main(["scope", "explain", "image:cloud-2", "--config", config, "--path", "/image/v2", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["services"][0]["cloud"] == "cloud-2"


def test_beside_clouds_alone_paths_are_read_as_at_a_gateway(tmp_path, capsys):
    path = tmp_path / "oidproxy.yaml"
    path.write_text(
        CONFIG.replace('{bind: "127.0.0.1:8888"}', '{bind: "127.0.2.1", ports: openstack, cloud: cloud-1}')
    )
    assert run_explain("image:cloud-2", str(path), "GET", "/image/v2", True) == 0
    assert json.loads(capsys.readouterr().out)["services"][0]["cloud"] == "cloud-2"
