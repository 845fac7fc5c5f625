"""Two results beside each other: each group of requests that both have, quantile by quantile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidproxy.trace.comparing.bootstrap import Difference, of_quantile, of_share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from oidproxy.trace.results.table import Array, Table

FIELDS = ("service", "method", "template", "cloud", "home")
"""By what requests can be grouped."""

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

FEW = 30
"""With fewer requests a group's intervals say little (its p99 is its maximum)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group of requests."""

    group: tuple[str, ...]
    requests: tuple[int, int]
    """In A and in B."""
    measures: Mapping[str, Difference]
    """`p50`, `p95`, `p99` in ms, `failed` as a share; empty where one of the two has no such requests."""

    @property
    def few(self) -> bool:
        """Whether there are too few for intervals that say much."""
        return min(self.requests) < FEW


def compare(a: Table, b: Table, by: Sequence[str], seed: int) -> list[Row]:
    """All requests first, with an empty group; then each group, in order."""
    everything = [_row((), (np.flatnonzero(a.timed), np.flatnonzero(b.timed)), (a, b), seed)]
    if not by:
        return everything
    ours, theirs = _groups(a, by), _groups(b, by)
    none = np.zeros(0, dtype="int64")
    names = sorted(ours.keys() | theirs.keys())
    return everything + [
        _row(one, (ours.get(one, none), theirs.get(one, none)), (a, b), seed) for one in names
    ]


def _groups(table: Table, by: Sequence[str]) -> dict[tuple[str, ...], Array]:
    return {
        tuple(table.words[name][code] for name, code in zip(by, codes, strict=True)): rows
        for codes, rows in table.groups(*by).items()
    }


def _row(group: tuple[str, ...], rows: tuple[Array, Array], tables: tuple[Table, Table], seed: int) -> Row:
    counts = len(rows[0]), len(rows[1])
    measures = dict(_measures(rows, tables, _random(seed, group))) if all(counts) else {}
    return Row(group, counts, measures)


def _random(seed: int, group: tuple[str, ...]) -> np.random.Generator:
    """Of its own for each group: another group more or less changes nothing."""
    digest = hashlib.sha256("\0".join(group).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def _measures(
    rows: tuple[Array, Array], tables: tuple[Table, Table], random: np.random.Generator
) -> Iterator[tuple[str, Difference]]:
    first, second = (np.sort(table.latency[of]) / 1e6 for table, of in zip(tables, rows, strict=True))
    for name, part in QUANTILES.items():
        yield name, of_quantile(first, second, part, random)
    a, b = (int(table.failed[of].sum()) for table, of in zip(tables, rows, strict=True))
    yield "failed", of_share((a, len(rows[0])), (b, len(rows[1])), random)


def documents(rows: Sequence[Row], by: Sequence[str]) -> list[dict[str, Any]]:
    """As JSON: latencies in milliseconds, `failed` a share; `shown`: the interval leaves out 0."""
    return [
        {
            **(dict(zip(by, row.group, strict=True)) if row.group else {"all": True}),
            "requests_a": row.requests[0],
            "requests_b": row.requests[1],
            **{
                name: {
                    "a": one.a,
                    "b": one.b,
                    "difference": one.value,
                    "low": one.low,
                    "high": one.high,
                    "shown": one.shown,
                }
                for name, one in row.measures.items()
            },
        }
        for row in rows
    ]


def flat(rows: Sequence[Row], by: Sequence[str]) -> Iterator[dict[str, object]]:
    """As rows of CSV: one for each group and measure."""
    for row in rows:
        named = dict(zip(by, row.group, strict=True)) if row.group else dict.fromkeys(by, "*")
        for name, one in row.measures.items():
            yield {
                **named,
                "requests_a": row.requests[0],
                "requests_b": row.requests[1],
                "measure": name if name == "failed" else f"{name}_ms",
                "a": one.a,
                "b": one.b,
                "difference": one.value,
                "low": one.low,
                "high": one.high,
                "shown": one.shown,
            }
