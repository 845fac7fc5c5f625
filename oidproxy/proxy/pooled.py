"""The state of the pools as samples for the metrics page."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from oidproxy.upstream.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidproxy.telemetry.counters import Labels, Samples
    from oidproxy.upstream.totals import PoolStats

_COUNTED = tuple((one.name, f"oidproxy_upstream_{one.name}_total") for one in fields(Totals))


def samples(stats: Iterable[PoolStats], totals: Mapping[tuple[str, str], Totals]) -> Samples:
    """What the pools hold now, and what they did since the process began, by cloud and service."""
    found: dict[str, dict[Labels, float]] = {}
    for one in stats:
        labels = _labels(one.cloud, one.service_type)
        for name in ("busy", "idle", "waiting"):
            into = found.setdefault(f"oidproxy_upstream_{name}", {})
            into[labels] = into.get(labels, 0) + getattr(one, name)
    labelled = [(_labels(cloud, service_type), counted) for (cloud, service_type), counted in totals.items()]
    for name, metric in _COUNTED if labelled else ():
        found[metric] = {labels: getattr(counted, name) for labels, counted in labelled}
    return found


def _labels(cloud: str, service_type: str) -> Labels:
    return (("cloud", cloud), ("service", service_type))
