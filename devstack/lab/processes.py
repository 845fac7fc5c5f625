"""Processes of the lab: run to their end, or started in the background, found again, and stopped.

A background process has a file with its id and its start time (field 22 of /proc/<pid>/stat): an id that the
kernel has given to somebody else since is never taken for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.lab.failure import LabError, tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PATIENCE = 600.0
STOP_SECONDS = 30.0
GIVING_WAY = ("/usr/bin/nice", "-n", "5")
"""The lab's processes give way to whatever else the machine is used for."""


@dataclass(frozen=True, slots=True)
class Background:
    """A process by its name; `folder` has its log and its id."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """All that it says."""
        return self.folder / f"{self.name}.log"

    @property
    def record(self) -> Path:
        """`<id> <start time>`, as long as it is to run."""
        return self.folder / f"{self.name}.pid"

    @property
    def pid(self) -> int | None:
        """Its id, if it runs."""
        try:
            pid, started = map(int, self.record.read_text().split())
        except (OSError, ValueError):
            return None
        return pid if _start_time(pid) == started else None

    def start(self, argv: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None) -> bool:
        """Start it unless it runs already; whether it had to be started."""
        if self.pid is not None:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as said:
            process = subprocess.Popen(  # noqa: S603 - the lab's own command lines
                [*GIVING_WAY, *argv],
                env=dict(env),
                cwd=cwd or self.folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.record.write_text(f"{process.pid} {_start_time(process.pid)}\n")
        # It is to outlive this object, which would complain of that.
        process.returncode = 0
        return True

    def check(self) -> None:
        """Raises LabError with the end of its log if it has ended."""
        if self.pid is None:
            raise LabError(f"{self.name} has ended:\n{tail(self.log)}")


def run(
    argv: Sequence[str],
    log: Path,
    env: Mapping[str, str],
    *,
    stdin: Path | None = None,
    stdout: Path | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command to its end; what it says goes to `log`. Raises LabError with the end of that."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("ab") as said,
        (stdin or Path(os.devnull)).open("rb") as given,
        (stdout or Path(os.devnull)).open("wb") as taken,
    ):
        try:
            done = subprocess.run(  # noqa: S603 - the lab's own command lines
                [*GIVING_WAY, *argv],
                env=dict(env),
                cwd=cwd,
                stdin=given,
                stdout=taken if stdout else said,
                stderr=said,
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError(f"{argv[0]}: {error}\n{tail(log)}") from error
    if done.returncode:
        raise LabError(f"{_shown(argv)} ended with status {done.returncode}:\n{tail(log)}")


def stop(processes: Iterable[Background]) -> None:
    """Stop these together: each is asked, with its children, and killed if that was no use."""
    running = [(one, pid) for one in processes if (pid := one.pid) is not None]
    for one, pid in running:
        _signal(one, pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(one.pid for one, _ in running) and time.monotonic() < deadline:
        time.sleep(0.05)
    for one, pid in running:
        # Also where it has gone: a child of its own may have stayed. Its session still has its id.
        _signal_session(pid, signal.SIGKILL)
        one.record.unlink(missing_ok=True)


def _signal(one: Background, pid: int, number: signal.Signals) -> None:
    if one.pid == pid:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _signal_session(session: int, number: signal.Signals) -> None:
    """To every process of a session that we made: its id is free for others only when all are gone."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _session(int(entry.name)) == session:
            with suppress(ProcessLookupError):
                os.kill(int(entry.name), number)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the name, which may hold blanks; none when it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _start_time(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def _session(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[3]) if fields else None


def _shown(argv: Sequence[str]) -> str:
    return " ".join((Path(argv[0]).name, *argv[1:3]))
