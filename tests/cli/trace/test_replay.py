"""`oidproxy trace replay` refuses what cannot be, before it signs in anywhere."""

from __future__ import annotations

import pytest

from oidproxy.cli.main import main
from oidproxy.trace.results.folder import Results
from tests.trace.lines import line, numbered, write
from tests.trace.results.outcomes import manifest


@pytest.fixture
def trace(tmp_path, monkeypatch):
    for name, value in {"USERNAME": "demo", "PASSWORD": "pw", "PROJECT_NAME": "demo"}.items():
        monkeypatch.setenv(f"OS_{name}", value)
    for name in ("USER_DOMAIN_ID", "PROJECT_DOMAIN_ID"):
        monkeypatch.setenv(f"OS_{name}", "default")
    monkeypatch.setenv("OS_AUTH_URL", "http://cloud.example:5000/v3")
    return str(write(tmp_path / "t.jsonl", numbered([line()])))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "--allow-host cloud.example"),
        (("--resume",), "there is nothing to resume"),
        (("--speed", "0"), "--speed has to be over 0"),
        (("--outage", "cloud-7@10m..20m"), "oidproxy trace whatif"),
        (("--rtt", "rtt.yaml"), "oidproxy trace whatif"),
        (("--map-scope", "image"), "a map of scopes is"),
        (("--auth-url", "ftp://x"), "http:// or https://"),
    ],
)
def test_what_cannot_be_is_told(trace, tmp_path, capsys, more, said):
    assert main(["trace", "replay", trace, "-o", str(tmp_path / "out"), *more]) == 2
    assert said in capsys.readouterr().err


def test_results_are_not_overwritten(trace, tmp_path, capsys):
    Results(tmp_path / "out", manifest()).close(pictures=False)
    assert main(["trace", "replay", trace, "-o", str(tmp_path / "out")]) == 2
    assert "has results already" in capsys.readouterr().err


def test_a_file_that_is_no_trace_is_told(trace, tmp_path, capsys):
    (tmp_path / "x.jsonl").write_text("{}\n")
    assert main(["trace", "replay", str(tmp_path / "x.jsonl"), "-o", str(tmp_path / "out")]) == 2
    assert "x.jsonl:1" in capsys.readouterr().err
