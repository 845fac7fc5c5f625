"""Installing: quickly where uv can be had, with pip where not, and never over the user's head."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstack.lab import packages
from devstack.lab.failure import LabError
from devstack.lab.progress import Progress


@pytest.fixture
def commands(monkeypatch):
    """What would be run; nothing is."""
    ran = []

    def run(argv, log, env):
        ran.append([Path(argv[0]).name, *argv[1:]])

    monkeypatch.setattr(packages, "run", run)
    monkeypatch.setattr(packages, "DEBIAN", {})
    return ran


@pytest.fixture
def without_uv(monkeypatch, commands):
    """An index that has no uv, or none for this machine."""
    recorded = packages.run

    def run(argv, log, env):
        recorded(argv, log, env)
        if argv[-1] == "uv":
            raise LabError("ERROR: No matching distribution found for uv")

    monkeypatch.setattr(packages, "run", run)
    return commands


@pytest.fixture
def venv(lab):
    lab.venv.mkdir()
    return lab.venv


def installing(commands):
    return [command for command in commands if str(packages.CONSTRAINTS) in command]


def install(lab, monkeypatch):
    # The folder is thrown away before anything else, and made by what does not run here.
    monkeypatch.setattr(packages.shutil, "rmtree", lambda *_, **__: None)
    packages.install(lab, Progress())


def test_openstack_is_installed_with_uv(lab, venv, commands, monkeypatch):
    install(lab, monkeypatch)
    assert [command[:3] for command in installing(commands)] == [["uv", "pip", "install"]]


def test_where_uv_cannot_be_had_pip_installs_the_same(lab, venv, without_uv, monkeypatch):
    install(lab, monkeypatch)
    assert [command[:2] for command in installing(without_uv)] == [["pip", "install"]]
    assert all("--no-deps" in command for command in installing(without_uv))
    assert ["pip", "check"] in without_uv


def test_what_is_complete_is_left_alone(lab, venv, commands, monkeypatch):
    install(lab, monkeypatch)
    commands.clear()
    install(lab, monkeypatch)
    assert commands == []


def test_another_set_of_packages_is_installed_anew(lab, venv, commands, monkeypatch, tmp_path):
    install(lab, monkeypatch)
    other = tmp_path / "constraints.txt"
    other.write_text("nova==32.0.0\n")
    monkeypatch.setattr(packages, "CONSTRAINTS", other)
    commands.clear()
    install(lab, monkeypatch)
    assert len(installing(commands)) == 1


def test_who_may_not_install_debians_packages_is_told_which_are_missing(lab, commands, monkeypatch):
    missing = {"/nowhere/mariadbd": "mariadb-server", "/nowhere/qemu-img": "qemu-utils"}
    monkeypatch.setattr(packages, "DEBIAN", missing)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="as root: haproxy mariadb-server qemu-utils"):
        packages.install(lab, Progress(), {"/nowhere/haproxy": "haproxy"})
    assert commands == []


def test_no_service_of_debian_starts_meanwhile(lab, venv, monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    seen = []
    monkeypatch.setattr(packages, "POLICY", policy)
    monkeypatch.setattr(packages, "DEBIAN", {"/nowhere/mariadbd": "mariadb-server"})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(packages, "run", lambda argv, *_: seen.append((argv[0], policy.exists())))
    install(lab, monkeypatch)
    assert [during for program, during in seen if program == "apt-get"] == [True, True]
    assert not policy.exists()
