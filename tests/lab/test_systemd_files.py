"""What Debian's own programs say of the systemd unit and of the files beside it.

It needs no lab but Debian's systemd and logrotate, which the lab installs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
PROGRAM = Path(sys.executable).parent / "oidproxy"
EXPOSURE_AT_MOST = 15
"""In tenths, as systemd counts: a unit without any protection has 96."""


def said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def unit(tmp_path) -> Path:
    """The unit, with the program that there is here."""
    file = tmp_path / "oidproxy.service"
    file.write_text((FOLDER / file.name).read_text().replace("/opt/oidproxy/bin/oidproxy", str(PROGRAM)))
    return file


def test_systemd_finds_nothing_wrong_with_the_unit(unit):
    assert said("systemd-analyze", "verify", "--man=no", str(unit)) == ""


def test_systemd_finds_little_that_the_unit_could_still_give_up(unit):
    threshold = f"--threshold={EXPOSURE_AT_MOST}"
    assert "Overall exposure level" in said(
        "systemd-analyze", "security", "--offline=true", threshold, str(unit)
    )


def test_systemd_would_make_the_user():
    shown = said("systemd-sysusers", "--dry-run", str(FOLDER / "oidproxy.sysusers"))
    assert not shown or "oidproxy" in shown


def test_logrotate_would_move_the_log(tmp_path):
    log, rule = tmp_path / "access.jsonl", tmp_path / "rule"
    log.write_text("{}\n")
    text = (FOLDER / "oidproxy.logrotate").read_text()
    rule.write_text(
        text.replace("/var/log/oidproxy/access.jsonl", str(log)).replace("su oidproxy oidproxy", "")
    )
    rule.chmod(0o644)
    shown = said("/usr/sbin/logrotate", "--debug", "--force", "--state", str(tmp_path / "state"), str(rule))
    assert f"renaming {log} to {log}.1" in shown
    assert "error" not in shown
