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
from tests.bench.report import into_docs
from tests.bench.rounds import warm_up
from tests.bench.traffic import calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bench.layout import Cores
    from tests.bench.plan import Plan

PART = "profile"
"""Of the marks in the docs."""

SHOWN = 40
SAMPLES = 500
"""A second."""

PARTS = (
    ("(proxy/connection.py)", "passed", "sending the answer to the client (one system call, which wakes it)"),
    ("(upstream/connection.py)", "carry", "sending the request to the cloud (likewise)"),
    ("(proxy/express.py)", "", "taking the head apart, finding its way, writing the cloud's head"),
    ("(proxy/way.py)", "", "taking the head apart, finding its way, writing the cloud's head"),
    ("(rewrite/stencil.py)", "", "taking the head apart, finding its way, writing the cloud's head"),
    ("(proxy/passing.py)", "", "taking the answer's head apart, writing the client's, the access line"),
    ("(rewrite/", "", "links in the answer"),
    ("(identity/", "", "tokens"),
    ("(tokens/", "", "tokens"),
    ("(telemetry/", "", "access log, metrics, redaction"),
    ("(upstream/", "", "connections and pools, to clouds"),
    ("(proxy/connection.py)", "", "connections of clients"),
)
"""Where a function is, how its name begins -> what its own time is spent for; the first that fits."""
REST = "everything else; also requests that took the whole way"


def run(plan: Plan, folder: Path, cores: Cores, say: Callable[[str], None], docs: Path | None) -> int:
    """Print the shares of functions, alone and with what they call; those of parts go into `docs`, too."""
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
            warm_up(OURS, path, cores)
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
    table = parts(stacks.read_text())
    print(table)
    if docs is not None:
        into_docs(docs, table, PART)
    return 0


def parts(stacks: str) -> str:
    """From py-spy's raw form to a table of what the time was spent for."""
    found: Counter[str] = Counter()
    for line in stacks.splitlines():
        text, _, count = line.rpartition(" ")
        found[_part(_short(text.rpartition(";")[2]))] += int(count)
    total = found.total()
    if not total:
        raise BenchError("py-spy saw nothing")
    rows = [f"| {part} | {count / total:.0%} |" for part, count in found.most_common()]
    return "\n".join(["| of the worker's time | share |", "|---|---|", *rows])


def _part(frame: str) -> str:
    name, _, place = frame.partition(" ")
    name = name.rpartition(".")[2]
    place = place.replace("(oidproxy/", "(")
    return next((what for where, begin, what in PARTS if where in place and name.startswith(begin)), REST)


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
