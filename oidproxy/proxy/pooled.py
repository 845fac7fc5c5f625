"""The state of the pools as samples for the metrics page."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING

from oidproxy.upstream.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidproxy.telemetry.counters import Labels, Samples
    from oidproxy.upstream.totals import PoolStats

# Each second, for each service of a thousand clouds: what is the same each time is made once.
_NOW = tuple((name, f"oidproxy_upstream_{name}") for name in ("busy", "idle", "waiting"))
_TOTALS = tuple((field.name, f"oidproxy_upstream_{field.name}_total") for field in fields(Totals))


def samples(stats: Iterable[PoolStats], totals: Mapping[tuple[str, str], Totals]) -> Samples:
    """What the pools hold now, and what they did since the process began, by cloud and service."""
    found: dict[str, dict[Labels, float]] = {}
    for one in stats:
        labels = _labels(one.cloud, one.service_type)
        for name, metric in _NOW:
            into = found.setdefault(metric, {})
            into[labels] = into.get(labels, 0) + getattr(one, name)
    for (cloud, service_type), counted in totals.items():
        labels = _labels(cloud, service_type)
        for name, metric in _TOTALS:
            found.setdefault(metric, {})[labels] = getattr(counted, name)
    return found


@lru_cache(maxsize=65_536)
def _labels(cloud: str, service_type: str) -> Labels:
    return (("cloud", cloud), ("service", service_type))
