"""The numbers of a result: how many, how fast, what differed from the recording, what has to be known."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oidproxy.trace.results.table import Array, Table

SECOND = 1_000_000_000
LATE = 100_000_000
"""Nanoseconds: a request that its sender sends so much too late was not sent at its time."""

LATE_AT_MOST = 0.01
"""The share of late requests from which on the sender counts as saturated."""

LISTED = 100
"""Requests that were not sent, or were answered otherwise, that are named one by one."""

_NUMBER = re.compile(r"(?<=request )\d+")

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def summary(
    table: Table, *, saturated: Sequence[str] = (), left_out: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """`summary.json`. Latencies and lags in milliseconds, counted from the intended times.

    `saturated`: why the sender could not keep up, beyond what the lags say. `left_out`: requests of the trace
    that are no part of the replay, by reason.
    """
    sent = ~table.unmatched
    timed = np.flatnonzero(table.timed)
    lag = table.lag[timed]
    late = int((lag > LATE).sum())
    why = [*saturated, *_late(late, len(timed))]
    return {
        "requests": len(table),
        "sent": int(sent.sum()),
        "unmatched": int((~sent).sum()),
        "answered": int((table.numbers["status"] > 0).sum()),
        "failed": int(table.failed.sum()),
        "other_status": int(_differ(table).sum()),
        "seconds": _round(_seconds(table)),
        "rate": _round(len(timed) / _seconds(table)) if _seconds(table) else 0.0,
        "bytes_in": int(table.numbers["bytes_in"][sent].sum()),
        "bytes_out": int(table.numbers["bytes_out"][sent].sum()),
        "latency_ms": spread(table.latency[timed]),
        "lag_ms": spread(lag),
        "waited_ms": spread(table.numbers["waited_ns"][timed]),
        "late": {"over_ms": LATE / 1e6, "requests": late},
        "saturated": why,
        "told_saturated": list(saturated),
        "statuses": _statuses(table),
        "errors": _words(table, "error", np.flatnonzero(sent)),
        "services": _rows(table, ("service", "cloud")),
        "templates": _rows(table, ("service", "method", "template", "cloud")),
        "not_sent": _unmatched(table),
        "answered_otherwise": _otherwise(table),
        "made_up": _made_up(table),
        "left_out": dict(sorted((left_out or {}).items())),
        "moved": moved(table),
    }


def spread(nanoseconds: Array) -> dict[str, float]:
    """Quantiles, mean and maximum in milliseconds; empty for no values."""
    if not len(nanoseconds):
        return {}
    ordered = np.sort(nanoseconds)
    found = {name: _round(quantile(ordered, part) / 1e6) for name, part in QUANTILES.items()}
    return found | {"max": _round(int(ordered[-1]) / 1e6), "mean": _round(float(ordered.mean()) / 1e6)}


def quantile(ordered: Array, part: float) -> int:
    """The smallest value that at least this part of all does not exceed (nearest rank)."""
    return int(ordered[max(int(np.ceil(part * len(ordered))) - 1, 0)])


def moved(table: Table) -> dict[str, dict[str, int]]:
    """From -> to -> bytes."""
    found: dict[str, dict[str, int]] = {}
    held, names = table.moved, table.moved.names
    total = np.zeros((len(names), len(names)), dtype="int64")
    np.add.at(total, (held.source, held.target), held.count)
    for source, target in zip(*np.nonzero(total), strict=True):
        found.setdefault(names[source], {})[names[target]] = int(total[source, target])
    return found


def _late(late: int, sent: int) -> list[str]:
    if not sent or late <= LATE_AT_MOST * sent:
        return []
    return [f"{late} of {sent} requests were sent over {LATE // 1_000_000} ms after their time"]


def _seconds(table: Table) -> float:
    done = table.numbers["done_ns"]
    return float(done.max()) / SECOND if len(done) else 0.0


def _differ(table: Table) -> Array:
    status, recorded = table.numbers["status"], table.numbers["recorded_status"]
    found: Array = table.timed & (recorded > 0) & (status != recorded)
    return found


def _statuses(table: Table) -> list[dict[str, int]]:
    rows = np.flatnonzero(~table.unmatched)
    both = table.numbers["recorded_status"][rows].astype("int64") * 1000 + table.numbers["status"][rows]
    values, counts = np.unique(both, return_counts=True)
    return [
        {"recorded": int(value) // 1000, "replayed": int(value) % 1000, "requests": int(count)}
        for value, count in zip(values, counts, strict=True)
    ]


def _words(table: Table, name: str, rows: Array) -> dict[str, int]:
    counts = np.bincount(table.codes[name][rows], minlength=len(table.words[name]))
    return {
        word: int(count) for word, count in zip(table.words[name], counts, strict=False) if word and count
    }


def _rows(table: Table, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    latency, failed, other = table.latency, table.failed, _differ(table)
    found = []
    for codes, rows in sorted(table.groups(*fields).items()):
        row: dict[str, Any] = {
            name: table.words[name][code] for name, code in zip(fields, codes, strict=True)
        }
        row |= {
            "requests": len(rows),
            "failed": int(failed[rows].sum()),
            "other_status": int(other[rows].sum()),
            "latency_ms": spread(latency[rows]),
        }
        found.append(row)
    return found


def _unmatched(table: Table) -> dict[str, Any]:
    rows = np.flatnonzero(table.unmatched)
    reasons = Counter[str]()
    words = table.words["unmatched"]
    for code, count in enumerate(np.bincount(table.codes["unmatched"][rows], minlength=len(words))):
        if count:
            reasons[_without_ids(words[code])] += int(count)
    return {
        "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:LISTED]),
        "first": [_named(table, int(row)) | {"why": _word(table, "unmatched", row)} for row in rows[:LISTED]],
    }


def _without_ids(why: str) -> str:
    """A reason without the id that it begins with, so that equal ones are counted together."""
    begin, colon, rest = why.partition(": ")
    return f"{begin.partition(' ')[0]}: {_NUMBER.sub('…', rest)}" if colon else why


def _otherwise(table: Table) -> list[dict[str, Any]]:
    return [
        _named(table, int(row))
        | {
            "recorded": int(table.numbers["recorded_status"][row]),
            "replayed": int(table.numbers["status"][row]),
            "error": _word(table, "error", row),
        }
        for row in np.flatnonzero(_differ(table))[:LISTED]
    ]


def _named(table: Table, row: int) -> dict[str, Any]:
    return {
        "n": int(table.numbers["n"][row]),
        "loop": int(table.numbers["loop"][row]),
        "request": " ".join(_word(table, name, row) for name in ("method", "service", "template")),
    }


def _word(table: Table, name: str, row: int) -> str:
    return str(table.words[name][table.codes[name][row]])


def _made_up(table: Table) -> dict[str, int]:
    found = Counter[str]()
    words = table.words["made_up"]
    rows = np.flatnonzero(~table.unmatched)
    for code, count in enumerate(np.bincount(table.codes["made_up"][rows], minlength=len(words))):
        for what in words[code] if count else ():
            found[what] += int(count)
    return dict(sorted(found.items()))


def _round(value: float) -> float:
    return round(float(value), 3)
