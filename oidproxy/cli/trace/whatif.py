"""`oidproxy trace whatif`: a trace against simulated clouds in virtual time, with something changed.

An action of its own beside `replay`: it needs no target, no account and no allowance, knows no wall clock,
and takes what only makes sense where the clouds are simulated.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from oidproxy.cli.virtually.whatif import Prepared, WhatIf
    from oidproxy.trace.results.folder import Results
    from oidproxy.trace.results.manifest import Manifest
    from oidproxy.trace.results.outcome import Outcome

RECORDED = "recorded"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is changed, and where the results go."""
    add = parser.add_argument
    add("trace", type=Path, metavar="TRACE", help="a trace's file, or the folder of a recording")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("-o", "--out", type=Path, metavar="DIR", help="where the results go")
    where.add_argument("--disturbances", type=Path, metavar="FILE",
        help="replay nothing: write --outage and --rtt for `oidproxy sim`")  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--config", type=Path, metavar="FILE", help="an oidproxy.yaml: which clouds, groups, proxies"
    )
    which.add_argument("--clouds", type=int, default=0, metavar="N",
        help="cloud-1 to cloud-N, each with a proxy (default: the clouds that the trace names)")  # fmt: skip
    add("--scope", metavar="SCOPE", help="the scope of every request, instead of the recorded ones")
    add("--map-scope", action="append", default=[], metavar="'SERVICE:WAS -> BECOMES'",
        help="bind a service otherwise, as 'image:* -> nearest(@fr)'; repeatable")  # fmt: skip
    add("--outage", action="append", default=[], metavar="CLOUD@FROM..TO",
        help="a cloud or @group is down, as cloud-7@10m..20m (:silent behind it: unreachable)")  # fmt: skip
    add("--rtt", type=Path, metavar="FILE",
        help="delays and rates between clouds, as ENOSlib or ENOS write them")  # fmt: skip
    add("--service-time", default=RECORDED, metavar="TIME",
        help="how long clouds think, as 20ms (default: as recorded, else drawn)")  # fmt: skip
    add("--seed", type=int, default=0, help="of everything that is drawn (default: %(default)s)")
    add("--speed", type=float, default=1.0, metavar="X",
        help="2 sends in half the time (default: %(default)s)")  # fmt: skip
    add("--loop", type=int, default=1, metavar="N", help="replay it N times, one after the other")
    add("--workers", type=int, default=1, metavar="N", help="processes; the results are the same ones")
    add("--scheduler", default="", metavar="ADDRESS", help="of a Dask cluster, as tcp://10.0.0.1:8786")
    add("--no-pictures", action="store_true", help="neither plots nor report.html")


def run(options: argparse.Namespace) -> int:
    """Replay it, write the results, say the most important of them."""
    from oidproxy.cli.virtually.cluster import run_by
    from oidproxy.cli.virtually.running import run as run_here
    from oidproxy.cli.virtually.whatif import prepare
    from oidproxy.trace.results.folder import Results
    from oidproxy.trace.survey import PROXYS_OWN

    prepared = prepare(_asked(options))
    if options.disturbances is not None:
        _write_disturbances(prepared, options.disturbances)
        return 0
    results = Results(options.out, _manifest(prepared))
    if prepared.survey.left_out:
        results.left_out = {PROXYS_OWN: prepared.survey.left_out}
    progress = _Progress(results, prepared.survey.requests * prepared.asked.loops)
    status = 0
    try:
        if options.workers > 1 or options.scheduler:
            run_by(prepared, progress.add, options.workers, options.scheduler)
        else:
            run_here(prepared, progress.add)
    except KeyboardInterrupt:
        status = 130
        results.left_out["stopped before"] = progress.left
    progress.end()
    summary = results.close(pictures=not options.no_pictures)
    print(_told(summary, options.out))
    return status


def _write_disturbances(prepared: Prepared, path: Path) -> None:
    """Distances are those from the site of the gateway."""
    import yaml

    from oidproxy.trace.whatif.disturbances import disturbances

    registry = prepared.registry
    found = disturbances(
        prepared.outages, prepared.distances, registry.local, registry.clouds, speed=prepared.asked.speed
    )
    path.write_text(yaml.safe_dump(found, sort_keys=False, default_flow_style=None), "utf-8")
    print(path)


def _asked(options: argparse.Namespace) -> WhatIf:
    """The options as texts. Raises ConfigError."""
    from oidproxy.cli.virtually.whatif import WhatIf
    from oidproxy.trace.whatif.durations import seconds

    if options.workers < 1 or options.loop < 1 or not options.speed > 0 or options.clouds < 0:
        raise ConfigError("--workers, --loop and --speed are more than nothing")
    try:
        service_time = None if options.service_time == RECORDED else seconds(options.service_time)
    except ValueError as error:
        raise ConfigError(f"--service-time: {error}") from None
    return WhatIf(
        trace=str(options.trace),
        config=str(options.config or ""),
        clouds=options.clouds,
        rtt=str(options.rtt or ""),
        scope=options.scope,
        maps=tuple(options.map_scope),
        outages=tuple(options.outage),
        seed=options.seed,
        speed=options.speed,
        loops=options.loop,
        service_time=service_time,
    )


def _manifest(prepared: Prepared) -> Manifest:
    """How to make it again. Not how many workers it took, nor where it was written: nothing changes by it."""
    from oidproxy.trace.results.manifest import Manifest, digest, digest_of_files, versions

    asked = prepared.asked
    paths = {"config": asked.config, "rtt": asked.rtt}
    files = {name: Path(path).read_text("utf-8") for name, path in paths.items() if path}
    told = {
        "scope": asked.scope,
        "map_scope": asked.maps,
        "outage": asked.outages,
        "clouds": asked.clouds,
        "speed": asked.speed,
        "loop": asked.loops,
        "service_time": asked.service_time,
        "config": Path(asked.config).name,
        "rtt": Path(asked.rtt).name,
    }
    changed = {name: value for name, value in told.items() if value not in (None, "", (), 0)}
    return Manifest(
        kind="virtual",
        command=tuple(_command(asked)),
        seed=asked.seed,
        trace=Path(asked.trace).name,
        trace_digest=digest_of_files(prepared.trace.files),
        config_digest=digest({"options": told, "files": files, "seed": asked.seed}),
        options=changed,
        versions=versions(),
        notes=tuple(prepared.trace.header.notes),
    )


def _command(asked: WhatIf) -> list[str]:
    command = ["oidproxy", "trace", "whatif", Path(asked.trace).name]
    for name in ("config", "rtt"):
        if path := getattr(asked, name):
            command += [f"--{name}", Path(path).name]
    if asked.clouds:
        command += ["--clouds", str(asked.clouds)]
    if asked.scope is not None:
        command += ["--scope", asked.scope]
    for text in asked.maps:
        command += ["--map-scope", text]
    for text in asked.outages:
        command += ["--outage", text]
    if asked.service_time is not None:
        command += ["--service-time", f"{asked.service_time:g}s"]
    for name, value, usual in (("--speed", asked.speed, 1.0), ("--loop", asked.loops, 1)):
        if value != usual:
            command += [name, f"{value:g}"]
    return [*command, "--seed", str(asked.seed)]


class _Progress:
    """Takes outcomes, and shows on a terminal how far it is."""

    def __init__(self, results: Results, total: int) -> None:
        self._results = results
        self._total = max(1, total)
        self._step = max(1, total // 100)
        self._shown = sys.stderr.isatty()
        self._count = 0

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self._results.add(outcome)
        self._count += 1
        if self._shown and not self._count % self._step:
            share = self._count / self._total
            bar = "#" * round(40 * share)
            print(f"\r[{bar:<40}] {share:4.0%} {self._count} requests", end="", file=sys.stderr, flush=True)

    @property
    def left(self) -> int:
        """How many are missing."""
        return self._total - self._count

    def end(self) -> None:
        """No more."""
        if self._shown:
            print(file=sys.stderr)


def _told(summary: dict[str, object], folder: Path) -> str:
    latency = summary.get("latency_ms")
    times = ""
    if isinstance(latency, dict) and latency:
        times = f"; latency p50 {latency['p50']:g} ms, p99 {latency['p99']:g} ms"
    other, failed = summary["other_status"], summary["failed"]
    return (
        f"{summary['requests']} requests in {summary['seconds']} s of virtual time: {failed} failed,"
        f" {other} with another status than recorded, {summary['unmatched']} not sent{times}\n{folder}"
    )
