"""The container file, where no container can be built: what it copies is there, what it runs really runs."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.deploy.files import DEPLOY, REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

FILE = DEPLOY / "container" / "Containerfile"
IGNORED = FILE.with_name("Containerfile.dockerignore")
EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
INSTRUCTIONS = {
    "ARG",
    "FROM",
    "COPY",
    "RUN",
    "ENV",
    "WORKDIR",
    "USER",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}
SECONDS = 30.0


@dataclass(frozen=True)
class Instruction:
    name: str
    value: str

    def words(self) -> list[str]:
        """In the form that no shell reads."""
        return json.loads(self.value[self.value.index("[") :])


def stages() -> list[list[Instruction]]:
    """The file's instructions, by stage; what stands before the first FROM is left out."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE)
    lines = [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]
    found: list[list[Instruction]] = []
    for line in lines:
        name, _, value = line.partition(" ")
        assert name in INSTRUCTIONS, line
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append(Instruction(name, value.strip()))
    return found


BUILD, SHIPPED = stages()


def every(stage: list[Instruction], name: str) -> list[Instruction]:
    return [one for one in stage if one.name == name]


def the(stage: list[Instruction], name: str) -> Instruction:
    [one] = every(stage, name)
    return one


def copied() -> list[str]:
    """What is copied out of the checkout."""
    copies = [one.value.split() for stage in (BUILD, SHIPPED) for one in every(stage, "COPY")]
    return [source for words in copies if not words[0].startswith("--") for source in words[:-1]]


def test_what_is_copied_is_there_and_goes_to_the_builder():
    kept = {line[1:] for line in IGNORED.read_text().splitlines() if line.startswith("!")}
    assert set(copied()) == kept
    assert [source for source in copied() if not (REPOSITORY / source).exists()] == []


def test_the_package_builds_from_what_is_copied_alone(wheel):
    assert wheel.name.startswith("oidproxy-")


def test_nothing_of_the_checkouts_own_state_is_sent():
    rules = IGNORED.read_text().splitlines()
    assert rules[1] == "*"
    for path in (".venv", ".state/lab/fleet.key", ".git", "fleet.key"):
        assert not any(fnmatch.fnmatch(path, rule[1:]) for rule in rules if rule.startswith("!"))


def test_the_extras_exist():
    [wanted] = [re.findall(r"/source\[([^]]+)\]", one.value) for one in every(BUILD, "RUN")]
    names = {name for text in wanted for name in text.split(",")}
    assert names
    assert names <= EXTRAS.keys()


def test_what_is_shipped_has_no_tools_to_build_with_and_is_not_root():
    ran = " ".join(one.value for one in every(SHIPPED, "RUN"))
    assert "pip uninstall" in ran
    assert not re.search(r"apt-get|apk |(?<!un)install|gcc|curl|wget", ran)
    assert [one.value.split()[0] for one in every(SHIPPED, "COPY")] == [
        "--from=build",
        "deploy/container/healthcheck.py",
    ]
    user, _, group = the(SHIPPED, "USER").value.partition(":")
    assert int(user) > 0
    assert int(group) > 0
    # Nothing is done as root after it.
    names = [one.name for one in SHIPPED]
    assert "RUN" not in names[names.index("USER") :]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from what the file copies, and nothing else."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in copied():
        original = REPOSITORY / name
        if original.is_dir():
            shutil.copytree(original, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif "/" not in name:
            shutil.copy(original, source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def image(wheel, tmp_path_factory) -> Path:
    """/opt/oidproxy: a virtual environment with the wheel. Of what the wheel requires it borrows ours."""
    folder = tmp_path_factory.mktemp("opt") / "oidproxy"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "--disable-pip-version-check",
    ]
    install = [*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-warn-script-location", str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


class Container:
    """Runs what the file says, with paths inside the container replaced by those where they stand here."""

    def __init__(self, image: Path, configuration: Path) -> None:
        self._image = image
        self._configuration = configuration

    def words(self, words: list[str]) -> list[str]:
        health = (f"{self._image}/healthcheck.py", str(REPOSITORY / copied()[-1]))
        moved = [("/opt/oidproxy", str(self._image)), ("/etc/oidproxy", str(self._configuration)), health]
        for old, new in moved:
            words = [word.replace(old, new) for word in words]
        return words

    @property
    def environment(self) -> dict[str, str]:
        path = re.search(r"PATH=(\S+)", the(SHIPPED, "ENV").value)
        assert path
        return {"PATH": self.words([path[1]])[0]}

    def serve(self) -> subprocess.Popen[str]:
        command = self.words([*the(SHIPPED, "ENTRYPOINT").words(), *the(SHIPPED, "CMD").words()])
        # The program is looked for in the PATH of this process, not in that of the one to start.
        program = shutil.which(command[0], path=self.environment["PATH"])
        assert program == f"{self._image}/bin/oidproxy"
        return subprocess.Popen(
            [program, *command[1:]],
            cwd=self._configuration,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def health(self) -> tuple[int, str]:
        command = self.words(the(SHIPPED, "HEALTHCHECK").words())
        program = shutil.which(command[0], path=self.environment["PATH"])
        assert program == f"{self._image}/bin/python"
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self._configuration,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert not done.stderr
        return done.returncode, done.stdout.strip()


@pytest.fixture
def container(image, tmp_path) -> Container:
    listener, admin = unused_ports(2)
    (tmp_path / "oidproxy.yaml").write_text(
        f'listeners: [{{bind: "127.0.0.1:{listener}"}}]\n'
        f'admin: {{bind: "127.0.0.1:{admin}"}}\n'
        "clouds: {paris: {upstream: 127.0.1.250}}\n"
    )
    return Container(image, tmp_path)


def unused_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def test_it_serves_is_healthy_and_drains_when_it_is_told_to_stop(container):
    assert the(SHIPPED, "STOPSIGNAL").value == "SIGTERM"
    assert container.health()[0] == 1
    with container.serve() as process:
        try:
            deadline = time.monotonic() + SECONDS
            while container.health() != (0, "ready"):
                assert process.poll() is None
                assert time.monotonic() < deadline
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    assert container.health()[0] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clouds: {paris: {upstream: 127.0.1.250}}\n", "has no admin listener"),
        ('admin: {bind: "127.0.0.1"}\n', "ValueError"),
        ("- no mapping\n", "AttributeError"),
    ],
)
def test_what_cannot_be_asked_is_not_healthy_and_says_why(container, tmp_path, text, said):
    (tmp_path / "oidproxy.yaml").write_text(text)
    status, told = container.health()
    assert status == 1
    assert said in told
