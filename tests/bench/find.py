"""An image by its id in a thousand clouds, one of ten million that are known, beside a plain forward."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.sealed import seal
from tests.bench import steady, thousand, union, wrk
from tests.bench.asking import Asker
from tests.bench.figures import order
from tests.bench.layout import PROXY_HOST
from tests.bench.processes import ROOT, BenchError, check_free, pinned, start, wait_for_port
from tests.bench.thousand import CLOUDS, HOME, IMAGE_PORT, ITEMS, address, identity, name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.bench.layout import Cores
    from tests.bench.plan import Plan
    from tests.bench.processes import Running
    from tests.bench.results import Results

PART = "find"
INDEX, PLAIN, FIND = "index", "plain", "find"
PORT = 9033
CONNECTIONS = 256
"""Enough to keep the proxy busy, though each answer takes 20 ms."""
RATE = 200.0
"""Requests a second of the open loop: far from what the clouds can do."""
CHECKED = 20
"""One cloud of so many is asked for each way before anything is measured."""
FIRST = 4
"""Items of each cloud that are asked for."""


def run(plan: Plan, folder: Path, cores: Cores, results: Results, say: Callable[[str], None]) -> None:
    """All of it; raises BenchError where something is not found, or is of another cloud."""
    say(f"an index of {plan.index_ids:,} ids")
    state = folder / "find.db"
    _told(results, INDEX, _fill(state, plan.index_ids, cores), say)
    requests = {PLAIN: _requests(folder, PLAIN, "image:{cloud}"), FIND: _requests(folder, FIND, "image:*")}
    with union.thousand_clouds(folder, cores) as clouds, _proxy(folder, state, cores) as proxy:
        wait_for_port(clouds, address(CLOUDS), IMAGE_PORT)
        _check(requests)
        for path in requests.values():
            _load(path, cores, 2)
        for number in range(plan.rounds):
            say(f"an image by its id, round {number + 1} of {plan.rounds}")
            for which in order([PLAIN, FIND], number):
                _told(results, which, _measured(plan, proxy, requests[which], cores), say)


def _told(results: Results, which: str, found: dict[str, float], say: Callable[[str], None]) -> None:
    for figure, value in found.items():
        results.add(PART, which, figure, value)
    say(f"  {which:6} " + ", ".join(f"{figure} {value:.4g}" for figure, value in found.items()))


def _fill(state: Path, ids: int, cores: Cores) -> dict[str, float]:
    """In a process of its own: how large the file is, and how long a lookup takes."""
    argv = [sys.executable, "-m", "tests.bench.index", str(state), str(ids)]
    done = subprocess.run(
        pinned(argv, [cores.proxy]), capture_output=True, text=True, timeout=1800, cwd=ROOT, check=False
    )
    if done.returncode:
        raise BenchError(f"the index cannot be filled: {done.stderr[-600:]}")
    told: dict[str, float] = json.loads(done.stdout)
    return told


@contextmanager
def _proxy(folder: Path, state: Path, cores: Cores) -> Iterator[Running]:
    config = folder / "find.yaml"
    gateway = union.configuration(folder).replace(f":{union.PORT}", f":{PORT}")
    config.write_text(f'{gateway}store: "sqlite://{state}"\n')
    check_free(PROXY_HOST, PORT)
    argv = [sys.executable, "-m", "oidproxy", "serve", "--config", str(config)]
    log = ["--access-log", str(folder / "find-access.jsonl")]
    running = start("oidproxy-find", [*argv, *log], folder, [cores.proxy])
    try:
        wait_for_port(running, PROXY_HOST, PORT)
        yield running
    finally:
        running.stop()


def _requests(folder: Path, which: str, scope: str) -> Path:
    """The same items for both, cloud after cloud."""
    token = seal(union.TOKEN, name(HOME), NO_SCOPE)
    path = folder / f"{which}.requests"
    wrk.write_requests(
        path,
        [
            union.request(
                f"/image/v2/images/{identity(number, place)}",
                scope.format(cloud=name(number)),
                token,
                PORT,
            )
            for place in range(min(FIRST, ITEMS))
            for number in range(1, CLOUDS + 1)
        ],
    )
    return path


def _check(requests: dict[str, Path]) -> None:
    """Each way has to give every item, and the same."""
    asker = Asker(PROXY_HOST, PORT)
    asked = {which: wrk.read_requests(path)[:CLOUDS:CHECKED] for which, path in requests.items()}
    for plain, find in zip(asked[PLAIN], asked[FIND], strict=True):
        answers = [asker.ask(plain), asker.ask(find)]
        if {answer.status for answer in answers} != {200} or len({answer.body for answer in answers}) != 1:
            raise BenchError(f"{plain[:80]!r}: {[(answer.status, answer.body[:200]) for answer in answers]}")
    asker.close()


def _load(path: Path, cores: Cores, seconds: float) -> wrk.Load:
    load = wrk.load(PROXY_HOST, PORT, path, connections=CONNECTIONS, seconds=seconds, cores=cores.rest)
    if load.errors or not load.requests:
        raise BenchError(f"{load.errors} of {load.requests} requests failed")
    return load


def _measured(plan: Plan, proxy: Running, path: Path, cores: Cores) -> dict[str, float]:
    """CPU time per request with many at one time, and latencies at a quiet rate."""
    before = proxy.cpu()
    load = _load(path, cores, plan.seconds)
    used = proxy.cpu() - before
    proxy.check()
    loop = steady.begin(
        PROXY_HOST,
        PORT,
        path,
        rate=RATE,
        seconds=plan.open_seconds,
        connections=32,
        sizes={thousand.ROW},
        cores=cores.rest,
    )
    quiet = loop.result()
    if quiet.failures:
        raise BenchError(f"{quiet.failures} failures in the open loop: {quiet.reasons}\n{proxy.tail()}")
    return {
        "us": used / load.requests * 1e6,
        "rate": load.rate,
        "p50": quiet.p50,
        "p99": quiet.p99,
        "lag99": quiet.lag99,
    }
