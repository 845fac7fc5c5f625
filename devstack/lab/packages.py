"""What the lab is made of: Debian's servers, and OpenStack in a virtual environment of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from devstack.lab.failure import LabError
from devstack.lab.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from devstack.lab.layout import Lab
    from devstack.lab.progress import Progress

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
"""Every package of the virtual environment, with its one version: nothing is left to choose."""

DEBIAN = {
    "/usr/sbin/mariadbd": "mariadb-server",
    "/usr/lib/rabbitmq/bin/rabbitmq-server": "rabbitmq-server",
    "/usr/bin/memcached": "memcached",
    "/usr/bin/qemu-img": "qemu-utils",
}
"""A program of the lab -> the package that has it."""

TESTS = {
    "/usr/bin/curl": "curl",
    "/usr/bin/systemd-analyze": "systemd",
    "/usr/sbin/haproxy": "haproxy",
    "/usr/sbin/logrotate": "logrotate",
}
"""What only its tests need."""

POLICY = Path("/usr/sbin/policy-rc.d")


def install(lab: Lab, progress: Progress, more: Mapping[str, str] = MappingProxyType({})) -> None:
    """Install what is missing of Debian's packages (and `more`) and OpenStack's. Raises LabError."""
    wanted = {**DEBIAN, **more}
    missing = sorted(package for program, package in wanted.items() if not Path(program).exists())
    if missing:
        with progress.step(f"Debian packages: {' '.join(missing)}"):
            _debian(lab, missing)
    if not _complete(lab):
        with progress.step(f"OpenStack packages ({len(CONSTRAINTS.read_text().splitlines())})"):
            _openstack(lab)


def fingerprint() -> str:
    """Short name of this set of packages: prepared data is good for one set only."""
    return hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()[:12]


def _complete(lab: Lab) -> bool:
    mark = lab.venv / "lab-packages"
    return mark.exists() and mark.read_text() == fingerprint()


def _debian(lab: Lab, packages: list[str]) -> None:
    if os.geteuid() or not shutil.which("apt-get"):
        raise LabError(f"install these Debian packages as root: {' '.join(packages)}")
    log = lab.state / "install.log"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with no_system_services():
        run(["apt-get", "update", "-qq"], log, env)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], log, env)


@contextmanager
def no_system_services() -> Iterator[None]:
    """Debian starts what it installs, unless this policy forbids it (Debian's invoke-rc.d(8))."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _openstack(lab: Lab) -> None:
    log, env = lab.state / "install.log", dict(os.environ)
    shutil.rmtree(lab.venv, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(lab.venv)], log, env)
    run([*_installer(lab), "--quiet", "--no-deps", "-r", str(CONSTRAINTS)], log, env)
    run([lab.program("pip"), "check"], log, env)
    (lab.venv / "lab-packages").write_text(fingerprint())


def _installer(lab: Lab) -> list[str]:
    """uv, which fetches in parallel, in a third of pip's time; pip where there is none.

    It stays out of the services' environment.
    """
    log, env, folder = lab.state / "install.log", dict(os.environ), lab.state / "installer"
    uv = str(folder / "bin" / "uv")
    try:
        run([sys.executable, "-m", "venv", str(folder)], log, env)
        run([str(folder / "bin" / "pip"), "install", "--quiet", "uv"], log, env)
        run([uv, "--version"], log, env)
    except LabError:
        return [lab.program("pip"), "install"]
    return [uv, "pip", "install", "--compile-bytecode", "--python", lab.program("python")]
