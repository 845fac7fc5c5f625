"""Closed-loop load by wrk: as many requests as its connections can carry, prepared beforehand."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.processes import BenchError, pinned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SCRIPT = Path(__file__).with_name("lua") / "cycle.lua"


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw."""

    requests: int
    bytes: int
    seconds: float
    errors: int
    p50: float
    p99: float
    """Latencies in seconds, from the moment of sending: not those of an open loop."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """The form that the script reads: eight hex digits of length before each."""
    with path.open("wb") as file:
        for one in requests:
            file.write(b"%08x" % len(one) + one)


def read_requests(path: Path) -> list[bytes]:
    """What `write_requests` wrote."""
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        size = int(data[at : at + 8], 16)
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return found


def load(
    host: str, port: int, requests: Path, *, connections: int, seconds: float, cores: Iterable[int]
) -> Load:
    """Run it to its end. Raises BenchError if it fails itself."""
    argv = [
        *["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s"],
        *["--timeout", "10s", "--script", str(SCRIPT), f"http://{host}:{port}/", "--", str(requests)],
    ]
    done = subprocess.run(
        pinned(argv, cores), capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    if done.returncode:
        raise BenchError(f"wrk ended with {done.returncode}:\n{done.stderr}{done.stdout}")
    return parsed(done.stdout)


def parsed(said: str) -> Load:
    """The script's own line, which is the last."""
    told = json.loads(said.splitlines()[-1])
    return Load(
        requests=told["requests"],
        bytes=told["bytes"],
        seconds=told["microseconds"] / 1e6,
        errors=sum(told[kind] for kind in ("connect", "read", "write", "status", "timeout")),
        p50=told["p50"] / 1e6,
        p99=told["p99"] / 1e6,
    )
