"""Processes of a run: started on a core of their own, looked at through /proc, and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TICKS = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parents[2]
"""Of the checkout."""


class BenchError(Exception):
    """What makes a run impossible; its text is for the user."""


@dataclass(slots=True)
class Running:
    """A process in a session of its own, with its children."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pids(self) -> list[int]:
        """Of all its processes."""
        return [pid for pid, fields in _stats() if int(fields[3]) == self.process.pid]

    def cpu(self) -> float:
        """Seconds of CPU time that its processes have used (utime + stime)."""
        return sum(self.cpu_by_process().values())

    def cpu_by_process(self) -> dict[int, float]:
        """The same, of each; what ended children used counts as their parent's."""
        return {
            pid: sum(map(int, fields[11:15])) / TICKS
            for pid, fields in _stats()
            if int(fields[3]) == self.process.pid
        }

    def memory(self) -> dict[int, int]:
        """Bytes that each process holds, shared pages divided (PSS)."""
        return {pid: _pss(pid) for pid in self.pids}

    def forget_peaks(self) -> None:
        """Let the peaks of resident memory begin anew (proc(5), clear_refs)."""
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def resident(self) -> dict[int, tuple[int, int]]:
        """Bytes that each process has in memory, and had at its peak."""
        return {pid: (_status(pid, "VmRSS"), _status(pid, "VmHWM")) for pid in self.pids}

    def check(self) -> None:
        """Raises BenchError if it has ended."""
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} has ended with {self.process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The end of what it said."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def stop(self) -> None:
        """Ask it to end, and make it if that is no use; nothing of its session stays."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def start(name: str, argv: Sequence[str], folder: Path, cores: Iterable[int]) -> Running:
    """Start a program of the run on these cores; it says what it says to a log in this folder."""
    log = folder / f"{name}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            pinned(argv, cores),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=ROOT,
        )
    return Running(name, process, log)


def pinned(argv: Sequence[str], cores: Iterable[int]) -> list[str]:
    """The command line that runs this one on these cores only."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *argv]


def check_free(host: str, port: int) -> None:
    """Raises BenchError if somebody listens there: that one would be measured instead of ours."""
    with suppress(OSError), socket.create_connection((host, port), 1):
        raise BenchError(f"something listens on {host}:{port} already")


def wait_for_port(running: Running, host: str, port: int, seconds: float = 60.0) -> None:
    """Until it listens there. Raises BenchError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        running.check()
        with suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.02)
    raise BenchError(f"{running.name} does not listen on {host}:{port}:\n{running.tail()}")


def _stats() -> Iterable[tuple[int, list[str]]]:
    """Every process and the fields of its stat behind the name, which may hold blanks (proc(5))."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    yield int(entry.name), fields


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
