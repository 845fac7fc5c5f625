"""The rounds: everybody in turn at the same clouds, again and again, in an order that moves on.

Every round starts all candidates anew and asks them for everything once: so what we know of tokens is warm,
as it is in a proxy that runs (it is kept for 300 s, so a round is to be over before), and no candidate has
the luck of one placement in memory for the whole run.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bench import bulk, check, idle, steady, upstream, wrk
from tests.bench.candidates import (
    ALL,
    CARRIERS,
    DIRECT,
    LEAN,
    NGINX,
    OURS,
    PROTOTYPE,
    PROXIES,
    Candidate,
    Ours,
)
from tests.bench.figures import order, strayed
from tests.bench.layout import CLOUDS
from tests.bench.plan import CONNECTIONS, MAIN, SHARE
from tests.bench.processes import BenchError, Running
from tests.bench.traffic import URLS, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.bench.layout import Cores
    from tests.bench.plan import Plan
    from tests.bench.results import Results

WARM_FOR = 280.0
SAMPLE = 1_000
"""Requests whose answers tell how long answers are."""
ATTEMPTS = 3
"""Times that a measurement is begun; all others of them were void."""

BULK = (DIRECT, NGINX, LEAN, PROTOTYPE, OURS)
WORKERS = (
    Ours("oidproxy-1", "oidproxy, one worker", 9007),
    Ours("oidproxy-2", "oidproxy, two workers", 9008, workers=2),
)


@dataclass(slots=True)
class Rounds:
    """A run of the parts that everybody takes part in."""

    plan: Plan
    parts: Sequence[str]
    folder: Path
    cores: Cores
    results: Results
    say: Callable[[str], None]
    sizes: dict[str, check.Sizes] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    warm: float = 0.0

    def run(self) -> None:
        """Check, then measure. Raises BenchError where a candidate does not do its work."""
        with upstream.origin(self.folder, self.cores):
            self._check()
            with upstream.clouds(self.folder, self.cores) as clouds:
                self.running[DIRECT.name] = clouds
                for number in range(self.plan.rounds):
                    self.say(f"round {number + 1} of {self.plan.rounds}")
                    self._round(number)

    # What everybody has to do right first.

    def _check(self) -> None:
        asked = calls(CLOUDS)
        for candidate in (*ALL, *WORKERS, *CARRIERS):
            wrk.write_requests(self._requests(candidate), candidate.requests(asked))
        sample = asked[: self.plan.checked]
        with upstream.clouds(self.folder, self.cores, echo=True):
            for candidate in PROXIES:
                self.say(f"checking {candidate.name}: {len(sample)} requests")
                with self._started([candidate]):
                    check.decisions(candidate, sample)
                    for carrier in CARRIERS if candidate is OURS else ():
                        check.decisions(carrier, sample[: len(sample) // 4])

    def _requests(self, candidate: Candidate) -> Path:
        return self.folder / f"{candidate.name}.requests"

    def _started(self, candidates: Sequence[Candidate]) -> ExitStack:
        """Running until the stack is closed."""
        stack = ExitStack()
        try:
            for candidate in candidates:
                running = candidate.start(self.folder, self.cores)
                self.running[candidate.name] = running
                stack.callback(running.stop)
        except BaseException:
            stack.close()
            raise
        return stack

    # One round.

    def _round(self, number: int) -> None:
        if "memory" in self.parts and number < self.plan.memory_rounds:
            for candidate in self._turn(PROXIES, number):
                self._measured("memory", candidate, self._memory)
        if {"cpu", "latency", "bulk"} & set(self.parts):
            with self._started(PROXIES):
                for carrier in CARRIERS:
                    self.running[carrier.name] = self.running[OURS.name]
                self._warm_up((*ALL, *(CARRIERS if "cpu" in self.parts else ())))
                self._calibrate()
                self._loads(number)
        if "workers" in self.parts:
            with self._started(WORKERS):
                self._warm_up(WORKERS)
                self._calibrate()
                for candidate in self._turn(WORKERS, number):
                    self._measured("workers", candidate, self._workers)

    def _loads(self, number: int) -> None:
        if "cpu" in self.parts:
            for connections in CONNECTIONS:
                for candidate in self._turn(ALL, number):
                    self._measured("cpu", candidate, lambda one, many=connections: self._cpu(one, many))
            for candidate in self._turn(CARRIERS, number):
                self._measured("carriers", candidate, lambda one: self._cpu(one, MAIN))
        if "latency" in self.parts:
            for candidate in self._turn(ALL, number):
                self._measured("latency", candidate, self._latency)
        if "bulk" in self.parts:
            for method in ("GET", "PUT"):
                for candidate in self._turn(BULK, number):
                    self._measured("bulk", candidate, lambda one, how=method: self._bulk(one, how))

    def _turn(self, candidates: Sequence[Candidate], number: int) -> list[Candidate]:
        by_name = {one.name: one for one in candidates}
        return [by_name[name] for name in order(list(by_name), number)]

    def _warm_up(self, candidates: Sequence[Candidate]) -> None:
        """Learn how long answers are, and let ours see all of its tokens and scopes once."""
        self.warm = time.monotonic()
        for candidate in candidates:
            if candidate.name not in self.sizes:
                sample = candidate.requests(calls(CLOUDS)[:SAMPLE])
                self.sizes[candidate.name] = check.sizes(candidate, sample)
            if isinstance(candidate, Ours) and not candidate.carrier:
                warm_up(candidate, self._requests(candidate), self.cores)

    def _calibrate(self) -> None:
        """The rate of the open loop: a share of what we carry at most."""
        if self.results.rate:
            return
        candidate = OURS if OURS.name in self.running else WORKERS[0]
        self.results.rate = round(self._load(candidate, MAIN).rate * SHARE)
        self.say(f"  the open loop's rate is {self.results.rate:.0f} requests/s")

    def _measured(self, part: str, candidate: Candidate, measure: Callable[[Candidate], dict]) -> None:
        """Take it into the results, unless it is void; then try again."""
        for _ in range(ATTEMPTS):
            try:
                found = measure(candidate)
            except BenchError as error:
                self.results.void.append(f"{part}, {candidate.name}: {error}")
                self.say(f"  void: {part}, {candidate.name}: {error}")
                continue
            for name, value in found.items():
                self.results.add(part, candidate.name, name, value)
            shown = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
            self.say(f"  {part:8} {candidate.name:18} {shown}")
            return
        self.results.given_up.append(f"{part}, {candidate.name}")

    # The measurements; each raises BenchError where something failed or came short.

    def _load(self, candidate: Candidate, connections: int) -> wrk.Load:
        """Closed loop; void unless every answer was right."""
        if time.monotonic() - self.warm > WARM_FOR:
            raise BenchError("the round takes too long: tokens are asked for anew during it")
        load = wrk.load(
            candidate.host,
            candidate.port,
            self._requests(candidate),
            connections=connections,
            seconds=self.plan.seconds if connections == MAIN else min(self.plan.seconds, 2),
            cores=self.cores.rest,
        )
        check_load(load, self.sizes[candidate.name].mean)
        return load

    def _cpu(self, candidate: Candidate, connections: int) -> dict[str, float]:
        running = self.running[candidate.name]
        before = running.cpu()
        load = self._load(candidate, connections)
        used = running.cpu() - before
        running.check()
        return {
            f"us@{connections}": used / load.requests * 1e6,
            f"rate@{connections}": load.rate,
            f"busy@{connections}": used / load.seconds,
        }

    def _steady(self, candidate: Candidate, connections: int) -> steady.Steady:
        found = steady.begin(
            candidate.host,
            candidate.port,
            self._requests(candidate),
            rate=self.results.rate,
            seconds=self.plan.open_seconds,
            connections=connections,
            sizes=self.sizes[candidate.name].bodies,
            cores=self.cores.rest,
        ).result()
        if found.failures:
            raise BenchError(f"{found.failures} failures in the open loop: {found.reasons}")
        return found

    def _latency(self, candidate: Candidate) -> dict[str, float]:
        found = self._steady(candidate, MAIN)
        self.results.curves[candidate.name] = found.curve
        return {"p50": found.p50, "p99": found.p99, "worst": found.worst, "lag99": found.lag99}

    def _workers(self, candidate: Candidate) -> dict[str, float]:
        running = self.running[candidate.name]
        before = running.cpu_by_process()
        found = self._steady(candidate, CONNECTIONS[-1])
        after = running.cpu_by_process()
        if before.keys() != after.keys():
            raise BenchError("a worker was started anew")
        used = [after[pid] - before[pid] for pid in after if pid != running.process.pid]
        return {
            "us": sum(used) / found.answered * 1e6,
            "share": max(used) / sum(used) if sum(used) else 1.0,
            "p99": found.p99,
        }

    def _bulk(self, candidate: Candidate, method: str) -> dict[str, float]:
        plan = self.plan
        # Without a proxy the bodies come from another process than the clouds' nginx; it is not compared.
        running = None if candidate is DIRECT else self.running[candidate.name]
        if running is not None:
            running.forget_peaks()
            resident = running.resident()
        before = running.cpu() if running else 0.0
        seconds = bulk.transfer(candidate, method, plan.body, plan.bodies, self.cores.rest)
        moved = plan.body * plan.bodies / bulk.GIB
        found = {f"{method} GiB/s": moved / seconds}
        if running is not None:
            found[f"{method} s/GiB"] = (running.cpu() - before) / moved
            peaks = running.resident()
            found[f"{method} growth"] = sum(peaks[pid][1] - resident[pid][0] for pid in resident)
        return found

    def _memory(self, candidate: Candidate) -> dict[str, float]:
        with self._started([candidate]):
            running = self.running[candidate.name]
            request = candidate.requests(calls(CLOUDS)[:1])[0]
            client = check.Client(candidate.host, candidate.port)
            client.ask(request)
            client.close()
            time.sleep(0.5)
            before = running.memory()
            with idle.held(candidate, request, self.plan.idle, self.cores.rest):
                time.sleep(0.2)
                after = running.memory()
            root = running.process.pid
            return {
                "idle": sum(before.values()),
                "idle worker": max(size for pid, size in before.items() if pid != root or len(before) == 1),
                "connection": (sum(after.values()) - sum(before.values())) / self.plan.idle,
            }


def warm_up(candidate: Candidate, requests: Path, cores: Cores) -> None:
    """Ask for everything once; wrk begins at the first request each time."""
    seconds = 1
    while True:
        load = wrk.load(
            candidate.host, candidate.port, requests, connections=MAIN, seconds=seconds, cores=cores.rest
        )
        if load.errors:
            raise BenchError(f"{candidate.name}: {load.errors} requests failed while warming up")
        if load.requests >= URLS:
            return
        seconds = math.ceil(1.5 * URLS / max(load.rate, 100.0))


def check_load(load: wrk.Load, mean: float) -> None:
    """Raises BenchError unless every answer came, and they are as long as they should be."""
    if load.errors:
        raise BenchError(f"{load.errors} requests failed")
    if not load.requests:
        raise BenchError("nothing was answered")
    found = load.bytes / load.requests
    if strayed(found, mean):
        raise BenchError(f"answers have {found:.0f} bytes instead of {mean:.0f}")
