"""When the requests of a workload come, in nanoseconds since its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.trace.reading import open_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from oidproxy.trace.synthesizing.workload import Arrivals, Workload

SECOND = 10**9


def times(workload: Workload, random: Random) -> Iterator[int]:
    """Growing; as many as the workload wants. Raises TraceInvalid, OSError: the trace cannot be read."""
    end = None if workload.duration is None else round(workload.duration * SECOND)
    for count, at in enumerate(_endless(workload.arrivals, random)):
        if (end is not None and at >= end) or count == workload.requests:
            return
        yield at


def _endless(arrivals: Arrivals, random: Random) -> Iterator[int]:
    if arrivals.trace is not None and arrivals.process == "recorded":
        yield from _recorded(arrivals)
        return
    at, mean = 0.0, SECOND / arrivals.rate
    while True:
        yield round(at)
        at += random.expovariate(1.0) * mean if arrivals.process == "poisson" else mean


def _recorded(arrivals: Arrivals) -> Iterator[int]:
    """The times of another trace's requests, from its first one on."""
    first: int | None = None
    if arrivals.trace is None:
        return
    for line in open_trace(arrivals.trace).lines():
        first = line.at if first is None else first
        yield round((line.at - first) / arrivals.speed)
