"""Where our own time goes: a worker under load, sampled from outside by py-spy."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

from tests.bench import check, upstream, wrk
from tests.bench.candidates import OURS
from tests.bench.layout import CLOUDS
from tests.bench.plan import MAIN
from tests.bench.processes import ROOT, BenchError
from tests.bench.traffic import calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bench.layout import Cores
    from tests.bench.plan import Plan

SHOWN = 40
SAMPLES = 500
"""A second."""


def run(plan: Plan, folder: Path, cores: Cores, say: Callable[[str], None]) -> int:
    """Print the shares of functions, alone and with what they call."""
    program = shutil.which("py-spy") or shutil.which("py-spy", path=str(ROOT / ".venv" / "bin"))
    if program is None:
        raise BenchError("py-spy is not installed (the extra named bench)")
    asked = OURS.requests(calls(CLOUDS))
    path, stacks = folder / "requests", folder / "stacks"
    wrk.write_requests(path, asked)
    with upstream.origin(folder, cores), upstream.clouds(folder, cores):
        running = OURS.start(folder, cores)
        try:
            check.sizes(OURS, asked)
            worker = max(pid for pid in running.pids if pid != running.process.pid)
            seconds = max(plan.seconds, 3)
            argv = [program, "record", "--pid", str(worker), "--format", "raw"]
            sampler = subprocess.Popen(
                [*argv, "--output", str(stacks), "--gil", "--rate", str(SAMPLES), "--duration", str(seconds)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wrk.load(OURS.host, OURS.port, path, connections=MAIN, seconds=seconds + 1, cores=cores.rest)
            sampler.wait(60)
        finally:
            running.stop()
    for line in shares(stacks.read_text()):
        say(line)
    return 0


def shares(stacks: str) -> list[str]:
    """From py-spy's raw form (`outer;inner count`) to a table: in the function itself, and below it."""
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    total = 0
    for line in stacks.splitlines():
        text, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in text.split(";")]
        total += int(count)
        own[frames[-1]] += int(count)
        for frame in set(frames):
            below[frame] += int(count)
    if not total:
        raise BenchError("py-spy saw nothing")
    rows = [("own, with what it calls, function; by the latter", below), ("by the former", own)]
    return [
        line
        for title, by in rows
        for line in (title, *(_row(name, own, below, total) for name, _ in by.most_common(SHOWN)))
    ]


def _row(name: str, own: Counter[str], below: Counter[str], total: int) -> str:
    return f"{own[name] / total:6.1%} {below[name] / total:6.1%}  {name}"


def _short(frame: str) -> str:
    """`name (path/file.py:12)` without the line: a function is one row."""
    return frame.rpartition(":")[0] + ")" if ":" in frame else frame
