"""The open loop from outside: gives it its order, and makes figures of what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bench.figures import quantile
from tests.bench.processes import ROOT, BenchError, pinned

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Steady:
    """What became of requests at a fixed rate. Times in seconds."""

    answered: int
    failures: int
    reasons: list[str]
    p50: float
    p99: float
    worst: float
    lag99: float
    """How late the generator itself was, 99 of 100 times at most."""
    curve: list[float] = field(default_factory=list)
    """Latencies at a hundred quantiles, for the plot."""
    moments: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Generator:
    """A running generator."""

    process: subprocess.Popen[str]
    order: dict[str, object]

    def result(self) -> Steady:
        """Wait for its end. Raises BenchError if it fails itself."""
        said, wrong = self.process.communicate(timeout=600)
        if self.process.returncode:
            raise BenchError(f"the open loop ended with {self.process.returncode}:\n{wrong}")
        return figures(json.loads(said))


def begin(
    host: str,
    port: int,
    requests: Path,
    *,
    rate: float,
    seconds: float,
    connections: int,
    sizes: Iterable[int],
    cores: Iterable[int],
    moments: bool = False,
) -> Generator:
    """Start it; it runs aside."""
    order: dict[str, object] = {
        "host": host,
        "port": port,
        "requests": str(requests),
        "rate": rate,
        "seconds": seconds,
        "connections": connections,
        "sizes": sorted(sizes),
        "seed": 1,
        "moments": moments,
    }
    process = subprocess.Popen(
        pinned([sys.executable, "-m", "tests.bench.openloop"], cores),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(order))
    process.stdin.close()
    process.stdin = None
    return Generator(process, order)


def figures(told: dict) -> Steady:
    """From the generator's own words."""
    latencies = sorted(told["latencies"])
    if not latencies:
        return Steady(0, told["failures"] or 1, told["reasons"] or ["no answer at all"], 0.0, 0.0, 0.0, 0.0)
    moments = told["moments"]
    return Steady(
        answered=len(latencies),
        failures=told["failures"],
        reasons=told["reasons"],
        p50=quantile(latencies, 0.5),
        p99=quantile(latencies, 0.99),
        worst=latencies[-1],
        lag99=quantile(sorted(told["lags"]), 0.99),
        curve=[quantile(latencies, number / 100) for number in range(1, 100)],
        moments=moments,
        latencies=told["latencies"] if moments else [],
    )
