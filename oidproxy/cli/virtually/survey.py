"""A first look at a trace: when it begins, whose requests it has, and which of them belong together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from oidproxy.trace.reading import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.trace.reading import Trace


class _Glance(msgspec.Struct):
    """What is looked at of each line."""

    at: int
    home: str = ""
    listener: str = ""
    service: str = ""
    method: str = ""
    clouds: list[str] = []
    made: list[str] = []
    used: list[str] = []


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen."""

    requests: int
    """Those that are replayed."""
    begins: int
    """`Line.at` of the first request; likewise `ends` of the last."""
    ends: int
    homes: tuple[str, ...]
    clouds: tuple[str, ...]
    """Those that were chosen for a request."""
    left_out: int
    """What a proxy answered itself, which concerns no cloud."""


def survey(trace: Trace) -> Survey:
    """Look at every line once. Raises TraceInvalid, OSError."""
    decode = msgspec.json.Decoder(_Glance).decode
    count, begins, ends, left_out = 0, 0, 0, 0
    homes: dict[str, None] = {}
    clouds: dict[str, None] = {}
    for _, _, data in trace.raw():
        try:
            line = decode(data)
        except UNREADABLE:
            continue  # whoever reads the lines says which one it is
        if not line.service:
            left_out += 1
            continue
        begins = line.at if not count else min(begins, line.at)
        ends = max(ends, line.at)
        count += 1
        homes[line.home or line.listener] = None
        clouds |= dict.fromkeys(line.clouds)
    homes.pop("", None)
    return Survey(count, begins, ends, tuple(homes), tuple(clouds), left_out)


def parts(trace: Trace, proxy: Callable[[str, str], str]) -> Mapping[str, tuple[str, int]]:
    """Proxy -> the part of the trace that its requests belong to, and how many they are.

    `proxy` is where requests of a home for a service come in. Proxies share nothing but what one's users made
    or deleted and another's use; so those that do are one part. Raises TraceInvalid, OSError.
    """
    decode = msgspec.json.Decoder(_Glance).decode
    shared: dict[str, str] = {}
    joined: dict[str, str] = {}
    counts: Counter[str] = Counter()

    def first(name: str) -> str:
        while (before := joined.setdefault(name, name)) != name:
            name = before
        return name

    for _, _, data in trace.raw():
        line = decode(data)
        at = proxy(line.home or line.listener, line.service)
        counts[at] += 1
        where = first(at)
        for one in (*line.made, *(line.used if line.method == "DELETE" else ())):
            other = first(shared.setdefault(one, where))
            joined[max(where, other)] = where = min(where, other)
    for _, _, data in trace.raw():
        line = decode(data)
        where = first(proxy(line.home or line.listener, line.service))
        for one in line.used:
            if one in shared:
                other = first(shared[one])
                joined[max(where, other)] = where = min(where, other)
    return {name: (first(name), count) for name, count in counts.items()}
