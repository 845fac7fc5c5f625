"""The systemd unit fits the program: its options, its signals, how long it drains, and where it writes."""

from __future__ import annotations

import re
import shlex

import pytest

from oidproxy.clouds.limits import Limits
from tests.deploy.files import DEPLOY, REPOSITORY, Folder, installed

FOLDER = DEPLOY / "systemd"
OPERATORS = (REPOSITORY / "docs" / "operators.md").read_text()
HANG_SECONDS = 5.0
"""What the parent adds for workers that do not end when they should."""


def unit() -> dict[str, list[str]]:
    """Key -> its values, of all sections: no key of this unit is in two of them."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / "oidproxy.service").read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def folder(tmp_path) -> Folder:
    return installed(tmp_path, "beside.yaml")


def test_what_it_starts_is_what_the_command_takes(folder):
    [start] = unit()["ExecStart"]
    program, subcommand, *words = shlex.split(start)
    assert (program, subcommand) == ("/opt/oidproxy/bin/oidproxy", "serve")
    shown = folder.oidproxy("serve", "--help").stdout
    options = [word for word in words if word.startswith("--")]
    assert options
    assert set(options) <= set(re.findall(r"--[a-z-]+", shown))


def test_a_reload_refuses_what_cannot_be_used_before_it_signals(folder):
    check, signal = unit()["ExecReload"]
    assert signal == "/bin/kill -HUP $MAINPID"
    shell, flag, command = shlex.split(check)
    assert (shell, flag) == ("/bin/sh", "-c")
    words = shlex.split(command.removesuffix(">/dev/null"))
    assert words[:2] == ["exec", "/opt/oidproxy/bin/oidproxy"]
    words = [word.replace("/etc/oidproxy", str(folder.path)) for word in words[2:]]
    assert folder.oidproxy(*words).returncode == 0
    folder.config.write_text(folder.config.read_text().replace("upstream:", "upstraem:"))
    refused = folder.oidproxy(*words)
    assert refused.returncode == 2
    assert "did you mean upstream?" in refused.stderr


def test_it_is_given_the_time_that_it_needs_to_drain():
    limits = Limits()
    [seconds] = unit()["TimeoutStopSec"]
    assert float(seconds) > limits.drain_grace + limits.drain + HANG_SECONDS
    # The parent has its workers drain; whoever signals them all ends them without its knowing.
    assert unit()["KillMode"] == ["mixed"]


def test_one_user_is_made_serves_and_owns_the_log():
    [kind, user, *_] = re.search(r"^u .*", (FOLDER / "oidproxy.sysusers").read_text(), re.MULTILINE)[
        0
    ].split()
    assert kind == "u"
    assert unit()["User"] == unit()["Group"] == [user]
    assert f"su {user} {user}" in (FOLDER / "oidproxy.logrotate").read_text()


def test_the_log_that_is_written_is_the_one_that_is_rotated():
    [start] = unit()["ExecStart"]
    log = start.split("--access-log ")[1].split()[0]
    assert log.startswith(f"/var/log/{unit()['LogsDirectory'][0]}/")
    rule = (FOLDER / "oidproxy.logrotate").read_text()
    assert re.findall(r"^(/\S+) \{$", rule, re.MULTILINE) == [log]
    assert "--kill-whom=main --signal=HUP oidproxy.service" in rule


def test_the_pages_install_every_file_where_the_unit_looks_for_it():
    for name in ("oidproxy.service", "oidproxy.sysusers", "oidproxy.logrotate"):
        where = re.search(r": (/etc/[\w./-]+)", (FOLDER / name).read_text())
        assert where, name
        assert re.search(rf"deploy/systemd/{name} {re.escape(where[1].rstrip('.'))}\n", OPERATORS), name
