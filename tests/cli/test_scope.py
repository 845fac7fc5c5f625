"""`oidproxy scope`, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import pytest

from oidproxy.cli.main import main
from oidproxy.errors import ConfigError

HACKATHON = "<keystone:cloud-1;glance:cloud-999>"


def _run(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(["scope", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_parse_prints_the_canonical_text(capsys):
    assert _run(capsys, "parse", HACKATHON) == (0, "identity:cloud-1;image:cloud-999\n", "")


def test_parse_prints_the_tree_as_json(capsys):
    status, out, err = _run(capsys, "parse", 'nova:"Zürich"', "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "scope": 'compute:"Zürich"',
        "bindings": [{"service": "compute", "clouds": {"cloud": "Zürich"}}],
    }


def test_tag_and_untag(capsys):
    tag = f"x{b'identity:cloud-1;image:cloud-999'.hex()}"
    assert _run(capsys, "tag", HACKATHON) == (0, f"{tag}\n", "")
    assert _run(capsys, "untag", tag) == (0, "identity:cloud-1;image:cloud-999\n", "")


def test_url_prints_an_auth_url(capsys):
    status, out, _ = _run(capsys, "url", HACKATHON, "--base", "https://proxy.example:8888")
    assert (status, out) == (0, "https://proxy.example:8888/s/identity:cloud-1;image:cloud-999/identity/v3\n")


@pytest.mark.parametrize("action", [("parse",), ("tag",), ("url", "--base", "http://proxy")])
def test_a_wrong_scope_is_shown_on_stderr_with_status_2(capsys, action):
    status, out, err = _run(capsys, action[0], "nova:arround(paris,10ms)", *action[1:])
    assert (status, out) == (2, "")
    assert err == (
        f'oidproxy scope {action[0]}: line 1, column 6: "arround" is not a function\n'
        "  nova:arround(paris,10ms)\n"
        "       ^\n"
        'expected "around(", "nearest(", "any(" or "not("\n'
        "did you mean: around\n"
    )


def test_a_wrong_tag_and_a_wrong_base_have_status_2_too(capsys):
    assert _run(capsys, "untag", "v2") == (
        2,
        "",
        "oidproxy scope untag: a tag is an x and pairs of the digits 0-9 and a-f\n",
    )
    status, out, err = _run(capsys, "url", "paris", "--base", "proxy")
    assert (status, out) == (2, "")
    assert (
        err == "oidproxy scope url: the base is not the address of a proxy, as https://proxy.example:8888\n"
    )


@pytest.mark.parametrize(
    "arguments", [(), ("frobnicate",), ("parse",), ("url", "paris"), ("explain", "paris")]
)
def test_what_is_missing_is_told_with_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(["scope", *arguments])
    assert ended.value.code == 2
    assert "usage: oidproxy scope" in capsys.readouterr().err


@pytest.fixture
def explained(monkeypatch):
    """Stands in for what explains; what it answers is its own tests' business."""
    calls: list[tuple[object, ...]] = []

    def run_explain(*arguments: object) -> int:
        calls.append(arguments)
        return 0

    module = types.ModuleType("oidproxy.cli.explain")
    module.run_explain = run_explain
    monkeypatch.setitem(sys.modules, "oidproxy.cli.explain", module)
    return calls


def test_explain_hands_its_arguments_on(explained):
    assert main(["scope", "explain", "paris", "--config", "oidproxy.yaml"]) == 0
    assert (
        main(
            [
                "scope",
                "explain",
                "paris",
                "--config",
                "c",
                "--method",
                "POST",
                "--path",
                "/image/v2",
                "--json",
            ]
        )
        == 0
    )
    assert explained == [
        ("paris", "oidproxy.yaml", "GET", None, False),
        ("paris", "c", "POST", "/image/v2", True),
    ]


def test_explain_refuses_a_method_without_a_path(explained, capsys):
    assert _run(capsys, "explain", "paris", "--config", "c", "--method", "POST") == (
        2,
        "",
        "oidproxy scope explain: --method explains one request, so it needs --path\n",
    )
    assert explained == []


def test_an_error_of_the_configuration_is_not_one_of_the_scope(monkeypatch, capsys):
    module = types.ModuleType("oidproxy.cli.explain")

    def run_explain(*arguments: object) -> int:
        raise ConfigError("no such key", file="c.yaml", line=3, column=1)

    module.run_explain = run_explain
    monkeypatch.setitem(sys.modules, "oidproxy.cli.explain", module)
    assert _run(capsys, "explain", "paris", "--config", "c.yaml") == (
        2,
        "",
        "oidproxy scope: c.yaml:3:1: no such key\n",
    )


def test_bytes_of_a_shell_that_are_not_utf8_are_refused_like_any_other():
    command = [sys.executable, "-m", "oidproxy.cli.main", "scope", "parse", b"nova:p\xe9ris"]
    code = "import sys; from oidproxy.cli.main import main; sys.exit(main())"
    command[1:3] = ["-c", code]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith("oidproxy scope parse: line 1, column 7: ")
