"""A registry of ten thousand clouds: loading, reloading under load, what routing costs in it, its memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.bench import check, ours, steady, upstream, wrk
from tests.bench.candidates import Ours
from tests.bench.figures import worst_beyond
from tests.bench.plan import MAIN, SHARE
from tests.bench.processes import ROOT, BenchError, Running, pinned
from tests.bench.rounds import SAMPLE, check_load, warm_up
from tests.bench.traffic import calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bench.layout import Cores
    from tests.bench.plan import Plan
    from tests.bench.results import Results

FEW = 2
"""Clouds that requests are for, in the small registry and in the large one."""

_LOAD = """\
import sys, time
from pathlib import Path
from oidproxy.clouds.loading.load import load
begin = time.perf_counter()
registry = load(Path(sys.argv[1]))
print(time.perf_counter() - begin, len(registry.clouds))
"""


def run(plan: Plan, folder: Path, cores: Cores, results: Results, say: Callable[[str], None]) -> None:
    """All of it; raises BenchError where something is lost."""
    small = Ours("oidproxy-few", "oidproxy, 2 clouds", 9021, clouds=FEW)
    large = Ours(
        "oidproxy-many", f"oidproxy, {plan.registry_clouds} clouds", 9022, clouds=plan.registry_clouds
    )
    results.registry_clouds = plan.registry_clouds
    asked = calls(FEW)
    with upstream.origin(folder, cores), upstream.clouds(folder, cores):
        for number in range(plan.registry_rounds):
            say(f"registry of {plan.registry_clouds} clouds, round {number + 1} of {plan.registry_rounds}")
            results.add("registry", large.name, "load", _load(large, folder, cores))
            _compared([small, large][:: -1 if number % 2 else 1], asked, plan, folder, cores, results)
            for name in (small.name, large.name):
                shown = {key: values[-1] for key, values in results.values["registry"][name].items()}
                say(f"  {name:18} " + ", ".join(f"{key} {value:.4g}" for key, value in shown.items()))


def _load(large: Ours, folder: Path, cores: Cores) -> float:
    """Seconds that reading the configuration takes, in a process of its own."""
    large.prepare(folder)
    path = folder / large.name / "oidproxy.yaml"
    done = subprocess.run(
        pinned([sys.executable, "-c", _LOAD, str(path)], [cores.proxy]),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the registry cannot be read: {done.stderr[-600:]}")
    return float(done.stdout.split()[0])


def _compared(
    candidates: list[Ours], asked: list, plan: Plan, folder: Path, cores: Cores, results: Results
) -> None:
    running: dict[str, Running] = {}
    try:
        for one in candidates:
            begin = time.perf_counter()
            running[one.name] = one.start(folder, cores)
            results.add("registry", one.name, "start", time.perf_counter() - begin)
            wrk.write_requests(folder / f"{one.name}.requests", one.requests(asked))
        sizes = {one.name: check.sizes(one, one.requests(asked[:SAMPLE])) for one in candidates}
        for one in candidates:
            warm_up(one, folder / f"{one.name}.requests", cores)
        for one in candidates:
            _cost(one, running[one.name], sizes[one.name], plan, folder, cores, results)
        for one in candidates:
            if one.clouds == FEW:
                continue
            _reload(one, running[one.name], sizes[one.name], plan, folder, cores, results)
    finally:
        for process in running.values():
            process.stop()


def _cost(
    one: Ours, running: Running, sizes: check.Sizes, plan: Plan, folder: Path, cores: Cores, results: Results
) -> None:
    before = running.cpu()
    load = wrk.load(
        one.host,
        one.port,
        folder / f"{one.name}.requests",
        connections=MAIN,
        seconds=plan.seconds,
        cores=cores.rest,
    )
    check_load(load, sizes.mean)
    results.add("registry", one.name, "us", (running.cpu() - before) / load.requests * 1e6)
    if not results.rate:
        results.rate = round(load.rate * SHARE)
    memory = running.memory()
    results.add("registry", one.name, "memory", max(memory.values()))
    results.add("registry", one.name, "memory of all", sum(memory.values()))


def _reload(
    one: Ours, running: Running, sizes: check.Sizes, plan: Plan, folder: Path, cores: Cores, results: Results
) -> None:
    """The same requests without and with reloads; raises BenchError if one is lost."""
    quiet = _open(one, sizes, plan, folder, cores, results.rate).result()
    aside = _open(one, sizes, plan, folder, cores, results.rate)
    path = folder / one.name / "oidproxy.yaml"
    time.sleep(plan.reload_seconds * 0.2)
    path.write_text(ours.configuration(folder / one.name, one.port, one.clouds) + "\nscope: ''\n")
    os.kill(running.process.pid, signal.SIGHUP)
    during = aside.result()
    said = running.log.read_text()
    if "reload" not in said:
        raise BenchError(f"{one.name} did not say that it reloaded:\n{running.tail()}")
    for found in (quiet, during):
        if found.failures:
            raise BenchError(f"{one.name}: {found.failures} requests were lost: {found.reasons}")
    beyond, late = worst_beyond(quiet.latencies, during.latencies)
    results.add("registry", one.name, "worst beyond", beyond)
    results.add("registry", one.name, "late", late)
    results.add("registry", one.name, "lost", during.failures)


def _open(
    one: Ours, sizes: check.Sizes, plan: Plan, folder: Path, cores: Cores, rate: float
) -> steady.Generator:
    return steady.begin(
        one.host,
        one.port,
        folder / f"{one.name}.requests",
        rate=rate,
        seconds=plan.reload_seconds,
        connections=MAIN,
        sizes=sizes.bodies,
        cores=cores.rest,
        moments=True,
    )
