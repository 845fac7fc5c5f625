"""The `oidproxy` command on a machine without the server's packages, and how little `--version` costs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from oidproxy.cli.main import SERVER_MODULES

COMMAND = Path(sys.executable).parent / "oidproxy"

# What `pip install oidproxy` without an extra leaves out cannot be imported.
WITHOUT_SERVER = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(SERVER_MODULES)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from oidproxy.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def without_server(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_SERVER, *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "argv",
    [["serve", "--config", "x"], ["demo"], ["config", "check", "x"]],
    ids=lambda argv: argv[0],
)
def test_a_command_of_the_server_says_exactly_what_to_install(argv):
    done = without_server(*argv)
    assert done.returncode == 2, done.stderr
    assert "pip install 'oidproxy[server]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_the_language_needs_no_server():
    done = without_server("scope", "parse", "{keystone:cloud-1;glance:cloud-999}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "identity:cloud-1;image:cloud-999\n"


def cpu_seconds(*argv: str) -> float:
    """Processor time of one run, by the kernel's own account of that child (wait4(2))."""
    process = subprocess.Popen([COMMAND, *argv], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_version_costs_under_80_ms_of_processor_time():
    # The best of several: the first run may compile, and a busy machine only ever adds.
    assert min(cpu_seconds("--version") for _ in range(7)) < 0.080


def test_version_is_the_packages():
    done = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"oidproxy {version('oidproxy')}\n"
