"""`python -m tests.bench`: measures this proxy beside HAProxy and nginx, and writes down what it found."""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.bench import find, machine, profile, registry, report, union
from tests.bench.layout import Cores
from tests.bench.plan import PARTS, QUICK, Plan
from tests.bench.processes import ROOT, BenchError
from tests.bench.results import Results
from tests.bench.rounds import Rounds

OUT = ROOT / ".state" / "bench"
DOCS = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Run; 0 where everything was measured and the prototype's copy is a fair one."""
    options = _options()
    chosen = options.only.split(",") if options.only else list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        print(f"no such part: {', '.join(sorted(unknown))} (of {', '.join(PARTS)})", file=sys.stderr)
        return 2
    plan = QUICK if options.quick else Plan()
    if options.rounds:
        plan = replace(plan, rounds=options.rounds)
    try:
        with tempfile.TemporaryDirectory(prefix="oidproxy-bench-") as folder:
            return _run(plan, chosen, Path(folder), options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: shows that everything works")
    parser.add_argument("--only", default="", metavar="PART,…", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="instead of 5")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="for table, JSON and plot")
    parser.add_argument("--docs", action="store_true", help=f"put the table into {DOCS.relative_to(ROOT)}")
    parser.add_argument(
        "--profile", action="store_true", help="only say where our own time goes (py-spy); also with --docs"
    )
    return parser.parse_args()


def _run(plan: Plan, chosen: list[str], folder: Path, options: argparse.Namespace) -> int:
    _raise_limit()
    cores = Cores.of(os.sched_getaffinity(0))
    begin = time.monotonic()
    machine.install(folder)
    told = machine.description()
    results = Results()
    if options.profile:
        return profile.run(plan, folder, cores, _say, DOCS if options.docs else None)
    try:
        if set(chosen) - {"registry", union.PART, find.PART}:
            Rounds(plan, chosen, folder, cores, results, _say).run()
        if "registry" in chosen:
            registry.run(plan, folder, cores, results, _say)
        if union.PART in chosen:
            union.run(plan, folder, cores, results, _say)
        if find.PART in chosen:
            find.run(plan, folder, cores, results, _say)
    finally:
        _write(options, results, told, plan)
    _say(f"{time.monotonic() - begin:.0f} s")
    return int(bool(results.given_up)) if options.quick else _status(results)


def _raise_limit() -> None:
    """Ten thousand connections need as many descriptors; who is started inherits the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _write(options: argparse.Namespace, results: Results, told: dict[str, str], plan: Plan) -> None:
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    text = report.markdown(results, told)
    (out / "bench.md").write_text(text)
    report.write_json(out / "bench.json", results, told, plan)
    if not report.plot(out / "bench.svg", results):
        _say("no plot: matplotlib is not installed (the extra named bench)")
    if options.docs:
        report.into_docs(DOCS, text)
    print(text)


def _status(results: Results) -> int:
    found = report.fairness(results.figures("cpu", f"us@{report.MAIN}"))
    fair = found is None or found[1]
    return 0 if fair and not results.given_up else 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
