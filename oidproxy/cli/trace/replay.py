"""`oidproxy trace replay TRACE`: send its requests again, in real time."""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oidproxy.cli.numbers import count
from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from oidproxy.trace.reading import Trace
    from oidproxy.trace.replaying.progress import Bar
    from oidproxy.trace.replaying.replay import Replay
    from oidproxy.trace.replaying.settings import Settings
    from oidproxy.trace.results.folder import Results
    from oidproxy.trace.results.manifest import Manifest

OF_THE_RUN = frozenset(
    {"trace", "out", "resume", "action", "workers", "scheduler", "os_cloud", "users", "os_region_name"}
)
"""Options that change nothing of what is sent."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a file, or the folder of a recording")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--resume", action="store_true", help="go on with the run in DIR that was stopped")
    _add_target(parser)
    _add_time(parser)
    _add_what_if(parser)
    parser.add_argument(
        "--workers", type=count, default=1, metavar="N", help="processes that send (default: %(default)s)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a running Dask cluster, for more than one machine"
    )


def _add_target(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where to, and as whom")
    group.add_argument("--auth-url", metavar="URL", help="default: that of the account")
    group.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="send to it, too; this machine needs none",
    )
    group.add_argument(
        "--os-cloud", metavar="NAME", help="an entry of clouds.yaml (default: the OS_ variables)"
    )
    group.add_argument(
        "--users",
        type=Path,
        metavar="FILE",
        help="YAML: which entry of clouds.yaml sends for which user or home",
    )
    group.add_argument(
        "--os-region-name", default="", metavar="NAME", help="whose endpoints are used (default: the first)"
    )
    group.add_argument("--cacert", default="", metavar="FILE", help="whose certificates are trusted")
    group.add_argument("--insecure", action="store_true", help="do not check certificates")


def _add_time(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("when, and how often")
    group.add_argument(
        "--speed",
        type=float,
        default=1.0,
        metavar="X",
        help="2 sends in half the time (default: %(default)g)",
    )
    group.add_argument(
        "--loop", type=count, default=1, metavar="N", help="times that it is sent (default: %(default)s)"
    )
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of whatever is made up (default: %(default)s)"
    )
    group.add_argument(
        "--closed",
        action="store_true",
        help="each user waits for its answers; default is to send at the intended times",
    )
    group.add_argument(
        "--connections", type=count, default=4000, metavar="N", help="at most (default: %(default)s)"
    )
    group.add_argument(
        "--timeout", type=float, default=300.0, metavar="SECONDS", help="for an answer (default: %(default)g)"
    )
    group.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="to wait for the id that a request uses (default: %(default)g)",
    )
    group.add_argument("--suffix", default="", metavar="TEXT", help="behind the names of what is made")


def _add_what_if(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what if")
    group.add_argument("--scope", metavar="SCOPE", help="in place of every recorded scope; '' for none")
    group.add_argument(
        "--map-scope",
        action="append",
        default=[],
        metavar="RULE",
        help="as 'image:* -> nearest(@fr)'; may be repeated",
    )
    group.add_argument(
        "--explain",
        action="store_true",
        help="ask the proxy which cloud serves each request (takes requests off its express lane)",
    )

    for name in ("--outage", "--rtt"):
        group.add_argument(name, action="append", default=[], help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """0 where everything was sent; 1 where it was stopped.

    Raises:
        ConfigError, TraceInvalid, OSError: something of it cannot be used.
    """
    from oidproxy.trace.reading import open_trace
    from oidproxy.trace.replaying.sending import sockets

    _check(options)
    trace = open_trace(options.trace)
    settings = _settings(options, min(options.connections, sockets()))
    return _Run(options, trace, settings).run()


class _Run:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, trace: Trace, settings: Settings) -> None:
        self._options = options
        self._trace = trace
        self._settings = settings

    def run(self) -> int:
        from oidproxy.trace.replaying import resuming
        from oidproxy.trace.replaying.progress import Bar
        from oidproxy.trace.replaying.replay import Replay
        from oidproxy.trace.results.folder import Results

        options, manifest = self._options, self._manifest()
        done: Any = {}
        learned: Any = {}
        before: Any = ()
        if options.resume:
            manifest = resuming.check(options.out, manifest)
            table, before = resuming.read_outcomes(options.out)
            done, learned = resuming.done(table), resuming.read_state(options.out)
        results = Results(options.out, manifest)
        for outcome in before:
            results.add(outcome)
        replay = Replay(self._settings, self._trace, done=done, learned=learned)
        results.left_out.update(replay.survey.left_out)
        bar = Bar()
        try:
            finished = self._send(replay, results, bar)
        finally:
            bar.close()
        results.saturated += replay.saturated
        state = options.out / resuming.STATE
        if finished:
            state.unlink(missing_ok=True)
        else:
            resuming.write_state(options.out, replay.remappings)
        self._tell(results.close(), finished=finished)
        return 0 if finished else 1

    def _send(self, replay: Replay, results: Results, bar: Bar) -> bool:
        options = self._options
        if options.workers > 1 or options.scheduler:
            from oidproxy.trace.replaying.workers import run_with_workers

            return run_with_workers(replay, results.add, bar.show, options.workers, options.scheduler)
        return replay.run(results.add, bar.show)

    def _manifest(self) -> Manifest:
        from oidproxy.trace.results.manifest import Manifest, digest, digest_of_files, versions

        told = {name: value for name, value in vars(self._options).items() if name not in OF_THE_RUN}
        shown = {name: str(value) if isinstance(value, Path) else value for name, value in told.items()}
        header = self._trace.header
        return Manifest(
            kind="real",
            command=("oidproxy", *(one for one in sys.argv[1:] if one != "--resume")),
            seed=self._options.seed,
            trace=self._options.trace.name,
            trace_digest=digest_of_files(self._trace.files),
            config_digest=digest(shown),
            options=shown,
            versions=versions(),
            began=datetime.now(UTC).isoformat(timespec="seconds"),
            notes=tuple(header.notes),
        )

    def _tell(self, summary: dict[str, Any], *, finished: bool) -> None:
        from oidproxy.trace.results.folder import REPORT

        latency = summary["latency_ms"]
        print(
            f"{summary['sent']:,} requests sent, {summary['unmatched']:,} not sent, "
            f"{summary['failed']:,} failed, {summary['other_status']:,} with another status than recorded"
        )
        if latency:
            print(
                f"latency from the intended time: median {latency['p50']:g} ms, p99 {latency['p99']:g} ms, "
                f"longest {latency['max']:g} ms"
            )
        for why in summary["saturated"]:
            print(f"the sender was saturated: {why}")
        print(self._options.out / REPORT)
        if not finished:
            words = [one for one in sys.argv[1:] if one != "--resume"]
            print(f"stopped; to go on: {shlex.join(['oidproxy', *words, '--resume'])}", file=sys.stderr)


def _check(options: argparse.Namespace) -> None:
    from oidproxy.trace.results.folder import MANIFEST

    there = (options.out / MANIFEST).exists()
    if options.resume and not there:
        raise ConfigError(f"there is nothing to resume: no results in {options.out}")
    if not options.resume and there:
        raise ConfigError(f"{options.out} has results already: name another folder, or go on with --resume")
    if options.outage or options.rtt:
        raise ConfigError(
            "real clouds cannot be moved or switched off: --outage and --rtt are for virtual time "
            "(oidproxy trace whatif), and simulated clouds have delays and faults of their own (oidproxy sim)"
        )
    if not options.speed > 0:
        raise ConfigError("--speed has to be over 0")


def _settings(options: argparse.Namespace, connections: int) -> Settings:
    from oidproxy.cli.trace.accounts import logins
    from oidproxy.trace.replaying.settings import Settings
    from oidproxy.trace.whatif.scopes import Scopes, scope_map

    maps = tuple(scope_map(one) for one in options.map_scope)
    Scopes(options.scope, maps)
    return Settings(
        trace=options.trace,
        logins=logins(options),
        speed=options.speed,
        loops=options.loop,
        seed=options.seed,
        closed=options.closed,
        suffix=options.suffix,
        scope=options.scope,
        maps=maps,
        explain=options.explain,
        allowed=frozenset(one.lower() for one in options.allow_host),
        region=options.os_region_name,
        cacert=options.cacert,
        insecure=options.insecure,
        connections=connections,
        timeout=options.timeout,
        patience=options.patience,
    )
