"""A replay by several processes, on this machine or on those of a Dask cluster.

Dask, not Ray: it is plain Python, its workers need nothing but this package beside it, and a cluster of it
runs wherever a shell does (SSH, Slurm, OAR). Each worker gets the requests of its part, none of which shares
a user or an id with another part's; all begin at one signal, and their outcomes are added up as if one
process had sent them.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import zstandard

from oidproxy.errors import ConfigError
from oidproxy.trace.partition import partition
from oidproxy.trace.remapping import Remapping
from oidproxy.trace.replaying.worker import Work, outcomes, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client

    from oidproxy.trace.replaying.replay import Replay
    from oidproxy.trace.replaying.running import Progress
    from oidproxy.trace.results.outcome import Outcome

READY_IN = 600.0
"""Seconds that workers have to start and to sign in."""

TICK = 0.2


def run_with_workers(
    replay: Replay,
    sink: Callable[[Outcome], None],
    watch: Callable[[Progress], None],
    workers: int,
    scheduler: str | None,
) -> bool:
    """Send everything; whether it came to its end. SIGINT stops it in order.

    Raises:
        ConfigError: there is no such cluster, or nobody can sign in.
    """
    from distributed import Client, LocalCluster  # noqa: PLC0415 - a second, and only here

    if scheduler:
        try:
            client = Client(scheduler, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(f"no Dask scheduler answers at {scheduler} ({type(error).__name__})") from None
        with client:
            return _run(replay, sink, watch, client, workers)
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # with None it takes 8787, and warns where another run has it
            host="127.0.0.1",
            memory_limit=None,
            silence_logs=50,
            preload=["oidproxy.trace.replaying.undisturbed"],
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        return _run(replay, sink, watch, client, workers)


def _run(
    replay: Replay,
    sink: Callable[[Outcome], None],
    watch: Callable[[Progress], None],
    client: Client,
    workers: int,
) -> bool:
    from distributed import Event  # noqa: PLC0415

    name = f"oidproxy-{os.urandom(6).hex()}"
    settings = replace(replay.settings, connections=max(replay.settings.connections // workers, 1))
    told = Work(settings, replay.schedule, replay.begins(), dict(replay.done), dict(replay.learned), name)
    parts = [one for one in _packed(replay, workers) if one]
    futures = [
        client.submit(work, told, packed, number, pure=False, retries=0)
        for number, packed in enumerate(parts)
    ]
    start, stop = (Event(f"{name}-{one}", client=client) for one in ("start", "stop"))
    ready = [Event(f"{name}-ready-{number}", client=client) for number in range(len(parts))]
    try:
        with _stopped_by(stop.set):
            _await_ready(ready, futures)
            start.set()
            while not all(one.done() for one in futures):
                time.sleep(TICK)
                watch(replay.progress)
    except BaseException:
        stop.set()
        raise
    return _gathered(replay, sink, [one.result() for one in futures])


def _packed(replay: Replay, workers: int) -> list[bytes]:
    """Each part's requests, compressed."""
    place = partition(replay.ours, workers)
    encode = msgspec.json.Encoder().encode
    packers = [zstandard.ZstdCompressor(level=3).compressobj() for _ in range(workers)]
    packed = [bytearray() for _ in range(workers)]
    used = set()
    for line in replay.ours():
        number = place[line.n]
        used.add(number)
        packed[number] += packers[number].compress(encode(line) + b"\n")
    return [bytes(one + packers[at].flush()) if at in used else b"" for at, one in enumerate(packed)]


def _await_ready(ready: Sequence[Any], futures: Sequence[Any]) -> None:
    """Until all are signed in; where one failed, its error.

    Raises:
        ConfigError: the workers do not come up.
    """
    until = time.monotonic() + READY_IN
    waiting = list(ready)
    while waiting:
        for one in futures:
            if one.done():
                one.result()
        if time.monotonic() > until:
            raise ConfigError(f"{len(waiting)} workers were not ready within {READY_IN:.0f} s")
        waiting = [one for one in waiting if not one.is_set()]
        time.sleep(TICK)


def _gathered(replay: Replay, sink: Callable[[Outcome], None], done: Sequence[Any]) -> bool:
    remappings: dict[int, Remapping] = {}
    for one in done:
        for outcome in outcomes(one.outcomes):
            sink(outcome)
        replay.saturated += one.saturated
        for loop, (ids, names) in one.learned.items():
            before = remappings.get(loop, Remapping())
            remappings[loop] = Remapping(
                loop=loop, learned={**before.learned, **ids}, names={**before.names, **names}
            )
    replay.remappings = remappings
    return all(one.finished for one in done)


@contextmanager
def _stopped_by(stop: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM tell the workers."""
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
