"""What a run ran on: processor, kernel, versions; and that Debian's programs are there."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from devstack.lab import packages
from devstack.lab.failure import LabError
from devstack.lab.processes import run
from tests.bench.processes import BenchError

PROGRAMS = {"haproxy": "haproxy", "nginx": "nginx-light", "wrk": "wrk", "taskset": "util-linux"}
"""A program -> Debian's package that has it."""


def install(folder: Path) -> None:
    """Whatever is missing, without starting any service. Raises BenchError."""
    missing = sorted(package for program, package in PROGRAMS.items() if not _found(program))
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise BenchError(f"install these Debian packages as root: {' '.join(missing)}")
    log, env = folder / "install.log", {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    try:
        with packages.no_system_services():
            run(["apt-get", *wait, "update", "-qq"], log, env)
            run(["apt-get", *wait, "install", "-y", "-qq", "--no-install-recommends", *missing], log, env)
    except LabError as error:
        raise BenchError(str(error)) from None


def _found(program: str) -> bool:
    """Debian keeps servers where only root's PATH looks."""
    return shutil.which(program) is not None or Path("/usr/sbin", program).exists()


def description() -> dict[str, str]:
    """For the head of the report."""
    optimized = ", built with PGO" if "--enable-optimizations" in options() else ""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{_system()}, Linux {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": f"{platform.python_version()}{optimized}",
        "uvloop, httptools": f"{version('uvloop')}, {version('httptools')}",
        "HAProxy": _said(["haproxy", "-v"], r"version (\S+)"),
        "nginx": _said(["nginx", "-v"], r"nginx/(\S+)"),
        "wrk": _said(["wrk", "-v"], r"wrk (?:debian/)?(\S+)"),
    }


def options() -> str:
    """How this Python was built, as far as it says so."""
    return str(sysconfig.get_config_var("CONFIG_ARGS") or "")


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def _system() -> str:
    found = re.search(r'PRETTY_NAME="(.+)"', Path("/etc/os-release").read_text())
    return found[1] if found else sys.platform


def _said(argv: list[str], pattern: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"
