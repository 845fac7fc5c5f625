"""A run in several processes, on this machine or on others: Dask hands out the parts of a trace.

Parts are proxies whose users share nothing with those of other proxies. Each part runs by itself as it would
beside the others, so that the outcomes are the same however many workers there are.

Dask and not Ray: it is pure Python with few dependencies, starts in two seconds, and runs where there is
nothing but SSH, SLURM or OAR (dask-jobqueue), as on Grid'5000.
"""

from __future__ import annotations

import logging
from collections import Counter
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import zstandard

from oidproxy.cli.virtually.running import Entrances, run
from oidproxy.cli.virtually.survey import parts
from oidproxy.cli.virtually.whatif import prepare
from oidproxy.errors import ConfigError
from oidproxy.trace.results.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oidproxy.cli.virtually.survey import Survey
    from oidproxy.cli.virtually.whatif import Prepared, WhatIf

BATCH = 1000
"""Outcomes that are packed at a time."""


def run_by(prepared: Prepared, tell: Callable[[Outcome], None], workers: int, scheduler: str = "") -> None:
    """As `running.run`, by processes of this machine, or by those of a scheduler (`tcp://host:8786`).

    Workers elsewhere need the trace and the other files under the same paths. Raises ConfigError: Dask is
    missing.
    """
    shares = distributed(prepared, workers)
    if len(shares) <= 1 and not scheduler:
        run(prepared, tell)
        return
    try:
        from distributed import Client, LocalCluster, as_completed
    except ImportError:
        raise ConfigError("--workers needs Dask: pip install 'oidproxy[cluster]'") from None
    if scheduler:
        with Client(scheduler) as client:
            _collect(client, as_completed, prepared, shares, tell)
        return
    with (
        TemporaryDirectory(prefix="oidproxy-workers-") as scratch,
        LocalCluster(
            n_workers=len(shares),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # with None it takes 8787, and warns where another run has it
            local_directory=scratch,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        _collect(client, as_completed, prepared, shares, tell)


def distributed(prepared: Prepared, workers: int) -> list[frozenset[str]]:
    """The proxies of each worker: whole parts, about as many requests for each."""
    entrances = Entrances(prepared.registry)
    found = parts(prepared.trace, entrances.proxy)
    weights: Counter[str] = Counter()
    members: dict[str, set[str]] = {}
    for proxy, (part, requests) in found.items():
        weights[part] += requests
        members.setdefault(part, set()).add(proxy)
    shares: list[set[str]] = [set() for _ in range(min(workers, len(members)))]
    loads = [0] * len(shares)
    for part, requests in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        least = loads.index(min(loads))
        loads[least] += requests
        shares[least] |= members[part]
    return [frozenset(share) for share in shares]


def _collect(
    client: Any,  # noqa: ANN401 - Dask has no types
    as_completed: Callable[..., Iterator[tuple[object, bytes]]],
    prepared: Prepared,
    shares: list[frozenset[str]],
    tell: Callable[[Outcome], None],
) -> None:
    futures = [client.submit(part, prepared.asked, prepared.survey, share, pure=False) for share in shares]
    decode = msgspec.msgpack.Decoder(list[Outcome]).decode
    for _, packed in as_completed(futures, with_results=True):
        for batch in _batches(packed):
            for outcome in decode(batch):
                tell(outcome)


def part(asked: WhatIf, seen: Survey, mine: frozenset[str]) -> bytes:
    """What a worker does: the requests of these proxies, and what became of them, packed."""
    encode = msgspec.msgpack.Encoder().encode
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    packed: list[bytes] = []
    held: list[Outcome] = []

    def put() -> None:
        data = encode(held)
        packed.append(compressor.compress(len(data).to_bytes(4, "big") + data))
        held.clear()

    def tell(outcome: Outcome) -> None:
        held.append(outcome)
        if len(held) >= BATCH:
            put()

    run(prepare(asked, seen), tell, mine)
    put()
    packed.append(compressor.flush())
    return b"".join(packed)


def _batches(packed: bytes) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        while size := reader.read(4):
            yield reader.read(int.from_bytes(size, "big"))
