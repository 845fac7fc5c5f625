"""One list of a thousand clouds: warm, cold, whole, with one of them dead, and of simulated clouds."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.sealed import seal
from tests.bench import steady, thousand, wrk
from tests.bench.asking import Asker, Listed
from tests.bench.layout import PROXY_HOST
from tests.bench.plan import MAIN
from tests.bench.processes import BenchError, Running, check_free, start, wait_for_port
from tests.bench.thousand import CLOUDS, DEAD, HOME, IMAGE_PORT, ITEMS, KEYSTONE_PORT, address, name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.bench.layout import Cores
    from tests.bench.plan import Plan
    from tests.bench.results import Results

PORT = 9031
SIM_PORT = 9032
SIM_NETWORK = "127.64"
SIM_PASSWORD = "bench"
PART = "union"
LEAN, SIM = "lean", "sim"
LIMIT = 100
EVERYTHING = CLOUDS * ITEMS
TOKEN = "gAAAAABbench"
RATE = 100.0
"""Requests a second for single clouds, beside the lists: whose p99 one dead cloud may not change."""
BESIDE = 0.04
"""Seconds from one request for the cloud that dies to the next, beside those."""


def run(plan: Plan, folder: Path, cores: Cores, results: Results, say: Callable[[str], None]) -> None:
    """All of it, as many rounds as the plan has; raises BenchError where a list is not what it should be."""
    with thousand_clouds(folder, cores) as upstream:
        for number in range(plan.rounds):
            say(f"a list of {CLOUDS} clouds, round {number + 1} of {plan.rounds}")
            _lean(plan, folder, cores, results, upstream)
            _told(results, LEAN, say)
    if plan.sim_clouds:
        say(f"the same of oidproxy sim --clouds {plan.sim_clouds}")
        _sim(plan, folder, cores, results)
        _told(results, SIM, say)


def _told(results: Results, candidate: str, say: Callable[[str], None]) -> None:
    shown = {key: values[-1] for key, values in results.values[PART][candidate].items()}
    say("  " + ", ".join(f"{key} {value:.4g}" for key, value in shown.items()))


@contextmanager
def thousand_clouds(folder: Path, cores: Cores) -> Iterator[Running]:
    """The thousand clouds, until the block ends."""
    check_free(address(DEAD), IMAGE_PORT)
    running = start("thousand", [sys.executable, "-m", "tests.bench.thousand"], folder, cores.rest)
    try:
        wait_for_port(running, address(HOME), KEYSTONE_PORT)
        yield running
    finally:
        running.stop()


@contextmanager
def _proxy(config: Path, folder: Path, cores: Cores, port: int) -> Iterator[Running]:
    check_free(PROXY_HOST, port)
    argv = [sys.executable, "-m", "oidproxy", "serve", "--config", str(config)]
    log = ["--access-log", str(folder / "union-access.jsonl")]
    running = start("oidproxy-union", [*argv, *log], folder, [cores.proxy])
    try:
        wait_for_port(running, PROXY_HOST, port)
        yield running
    finally:
        running.stop()


def configuration(folder: Path) -> str:
    """A gateway in front of a thousand clouds that admit the members of the first."""
    (folder / "fleet.key").write_text("5a" * 64)
    rows = []
    for number in range(1, CLOUDS + 1):
        admits = "" if number == HOME else f", admits: {{{name(HOME)}: {{roles: [member]}}}}"
        rows.append(
            f'  {name(number)}: {{auth_url: "http://{address(number)}:{KEYSTONE_PORT}/v3", '
            f'endpoints: {{image: "http://{address(number)}:{IMAGE_PORT}"}}{admits}}}'
        )
    clouds = "\n".join(rows)
    return f"""\
listeners: [{{bind: "{PROXY_HOST}:{PORT}"}}]
local: {name(HOME)}
fleet_keys: ["${{file:{folder}/fleet.key}}"]
clouds:
{clouds}
"""


def request(path: str, scope: str, token: str, port: int = PORT) -> bytes:
    """A GET under a scope."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {PROXY_HOST}:{port}",
        f"X-Auth-Token: {token}",
        f"X-Scope: {scope}",
        "User-Agent: openstacksdk/4.4.0 keystoneauth1/5.10.0 python-requests/2.32.3 CPython/3.11.2",
        "Accept: application/json",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def check(listed: Listed, count: int, answered: int = CLOUDS) -> Listed:
    """Raises BenchError unless it is a list of so many different rows of so many clouds, newest first."""
    if listed.status != 200:
        raise BenchError(f"the list was refused with {listed.status}: {listed.body[:400]!r}")
    rows = listed.document()["images"]
    moments = [row["created_at"] for row in rows]
    if len({row["id"] for row in rows}) != count or moments != sorted(moments, reverse=True):
        raise BenchError(f"{len(rows)} rows instead of {count}, or in another order")
    if listed.answered != answered:
        raise BenchError(f"not {answered} clouds answered: {listed.fields.get('x-scope-clouds')}")
    return listed


def _lean(plan: Plan, folder: Path, cores: Cores, results: Results, upstream: Running) -> None:
    """One round against the bench's own upstream."""
    config = folder / "union.yaml"
    config.write_text(configuration(folder))
    token = seal(TOKEN, name(HOME), NO_SCOPE)
    some = request(f"/image/v2/images?limit={LIMIT}", "image:*", token)
    every = request("/image/v2/images", "image:*", token)
    with _proxy(config, folder, cores, PORT) as proxy:
        asker = Asker(PROXY_HOST, PORT)
        results.add(PART, LEAN, "cold", check(asker.ask(some), LIMIT).seconds)
        check(asker.ask(some), LIMIT)
        _repeated(LEAN, "warm", asker, some, LIMIT, plan.unions, proxy, upstream, results)
        check(asker.ask(every), EVERYTHING)
        _repeated(LEAN, "whole", asker, every, EVERYTHING, plan.whole_unions, proxy, upstream, results)
        results.add(PART, LEAN, "memory", sum(proxy.memory().values()))
        _one_dead(plan, folder, cores, results, upstream, token)
        asker.close()


def _repeated(
    candidate: str,
    figure: str,
    asker: Asker,
    asked: bytes,
    count: int,
    times: int,
    proxy: Running,
    upstream: Running,
    results: Results,
) -> None:
    """The same list again and again: the median of the times, and the CPU time of one."""
    before, upstream_before = proxy.cpu(), upstream.cpu()
    listed = [asker.ask(asked) for _ in range(times)]
    used, upstream_used = proxy.cpu() - before, upstream.cpu() - upstream_before
    for one in listed:
        check(one, count)
    taken = sorted(one.seconds for one in listed)
    results.add(PART, candidate, figure, taken[len(taken) // 2])
    results.add(PART, candidate, f"{figure} worst", taken[-1])
    results.add(PART, candidate, f"{figure} cpu", used / times)
    results.add(PART, candidate, f"{figure} upstream", upstream_used / times)
    results.add(PART, candidate, f"{figure} bytes", len(listed[0].body))


def _one_dead(
    plan: Plan, folder: Path, cores: Cores, results: Results, upstream: Running, token: str
) -> None:
    """Requests for single clouds, and lists of all, with every cloud alive and with one dead."""
    for figure, answered in (("alive", CLOUDS), ("dead", CLOUDS - 1)):
        if figure == "dead":
            os.kill(upstream.process.pid, signal.SIGUSR1)
        try:
            singles = _singles(plan, folder, cores, token)
            lists = _lists(plan, token, answered)
        finally:
            if figure == "dead":
                os.kill(upstream.process.pid, signal.SIGUSR2)
        results.add(PART, LEAN, f"p50 {figure}", singles.p50)
        results.add(PART, LEAN, f"p99 {figure}", singles.p99)
        results.add(PART, LEAN, f"list {figure}", lists[len(lists) // 2])


def _lists(plan: Plan, token: str, answered: int) -> list[float]:
    """How long lists of all clouds take, in order."""
    asker = Asker(PROXY_HOST, PORT)
    asked = request(f"/image/v2/images?limit={LIMIT}", "image:*", token)
    # The first one finds out that a cloud is dead.
    taken = [check(asker.ask(asked), LIMIT, answered).seconds for _ in range(plan.unions // 2 + 1)]
    asker.close()
    return sorted(taken[1:])


def _singles(plan: Plan, folder: Path, cores: Cores, token: str) -> steady.Steady:
    """The open loop's figures for every cloud but the one that dies, which is asked for all the time."""
    path = folder / "union.requests"
    wrk.write_requests(path, [_single(number, token) for number in range(1, CLOUDS + 1) if number != DEAD])
    loop = steady.begin(
        PROXY_HOST,
        PORT,
        path,
        rate=RATE,
        seconds=plan.union_seconds,
        connections=MAIN,
        sizes={thousand.ROW},
        cores=cores.rest,
    )
    stop = threading.Event()
    aside = threading.Thread(target=_ask_for_one, args=(_single(DEAD, token), stop))
    aside.start()
    try:
        found = loop.result()
    finally:
        stop.set()
        aside.join()
    if found.failures:
        raise BenchError(f"{found.failures} requests for living clouds failed: {found.reasons}")
    return found


def _ask_for_one(asked: bytes, stop: threading.Event) -> None:
    """At a fixed rate, whatever is answered, and however soon."""
    asker = Asker(PROXY_HOST, PORT)
    due = time.monotonic()
    while not stop.wait(max(due - time.monotonic(), 0.0)):
        asker.ask(asked)
        due = max(due + BESIDE, time.monotonic())
    asker.close()


def _single(number: int, token: str) -> bytes:
    return request(f"/image/v2/images/{thousand.identity(number, 0)}", f"image:{name(number)}", token)


# The simulated clouds.


def _sim(plan: Plan, folder: Path, cores: Cores, results: Results) -> None:
    place = folder / "fleet"
    place.mkdir()
    weather = folder / "weather.yaml"
    weather.write_text("latency: 20ms\n")
    argv = [
        *[sys.executable, "-m", "oidproxy", "sim", "--clouds", str(plan.sim_clouds), "--data", str(place)],
        *["--network", SIM_NETWORK, "--gateway", f"{PROXY_HOST}:{SIM_PORT}", "--items", str(ITEMS)],
        *["--password", SIM_PASSWORD, "--seed", "1", "--disturbances", str(weather)],
    ]
    begin = time.perf_counter()
    sim = start("sim", argv, folder, cores.rest)
    try:
        _wait_until_ready(sim)
        results.add(PART, SIM, "ready", time.perf_counter() - begin)
        with _proxy(place / "oidproxy.yaml", folder, cores, SIM_PORT) as proxy:
            asker = Asker(PROXY_HOST, SIM_PORT)
            token = _login(asker)
            asked = request(f"/image/v2/images?limit={LIMIT}", "image:*", token, SIM_PORT)
            results.add(PART, SIM, "cold", _until_all(asker, asked, plan.sim_clouds))
            for _ in range(plan.rounds):
                _repeated_sim(asker, asked, plan, proxy, sim, results)
            asker.close()
        results.add(PART, SIM, "memory", sum(sim.memory().values()))
    finally:
        sim.stop()


def _wait_until_ready(sim: Running) -> None:
    deadline = time.monotonic() + 60
    while "clouds ready" not in sim.log.read_text():
        sim.check()
        if time.monotonic() > deadline:
            raise BenchError(f"the simulated clouds are not ready:\n{sim.tail()}")
        time.sleep(0.1)


def _login(asker: Asker) -> str:
    user = {"name": "demo", "password": SIM_PASSWORD, "domain": {"id": "default"}}
    scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    body = json.dumps({"auth": auth}).encode()
    head = (
        f"POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: {PROXY_HOST}:{SIM_PORT}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    answer = asker.ask(head.encode() + body)
    if answer.status != 201:
        raise BenchError(f"signing in: {answer.status} {answer.body[:300]!r}")
    return answer.fields["x-subject-token"]


def _until_all(asker: Asker, asked: bytes, clouds: int) -> float:
    """Ask until every cloud has answered once: its services sign in and validate. How long that took."""
    begin = time.perf_counter()
    for _ in range(10):
        listed = asker.ask(asked)
        if listed.status == 200 and listed.answered == clouds:
            return time.perf_counter() - begin
    raise BenchError(
        f"not all simulated clouds answer: {listed.status} {listed.fields} {listed.body[:300]!r}"
    )


def _repeated_sim(
    asker: Asker, asked: bytes, plan: Plan, proxy: Running, sim: Running, results: Results
) -> None:
    before, sim_before = proxy.cpu(), sim.cpu()
    listed = [check(asker.ask(asked), LIMIT, plan.sim_clouds) for _ in range(plan.unions)]
    taken = sorted(one.seconds for one in listed)
    results.add(PART, SIM, "warm", taken[len(taken) // 2])
    results.add(PART, SIM, "warm worst", taken[-1])
    results.add(PART, SIM, "warm cpu", (proxy.cpu() - before) / plan.unions)
    results.add(PART, SIM, "warm upstream", (sim.cpu() - sim_before) / plan.unions)
