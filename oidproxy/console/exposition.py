"""Plain counters as Prometheus text, put together when they are asked for and never before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable

Labels = tuple[tuple[str, str], ...]
"""Names and values of one sample's labels."""

Samples = Mapping[str, Mapping[Labels, float]]
"""Metric -> labels -> value. A name that ends in `_total` is a counter, any other a gauge."""


class Counted(Collector):
    """Samples as a collector of prometheus-client."""

    def __init__(self, samples: Callable[[], Samples]) -> None:
        self._samples = samples

    def collect(self) -> Iterable[Metric]:
        """One family per metric, read now."""
        return [_family(name, values) for name, values in self._samples().items()]


def render(samples: Callable[[], Samples], accept: str) -> tuple[bytes, str]:
    """The text of all samples in the format that `accept` prefers, and its Content-Type."""
    encode, content_type = choose_encoder(accept)
    return encode(Counted(samples)), content_type


def _family(name: str, values: Mapping[Labels, float]) -> Metric:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    names = tuple(dict.fromkeys(label for labels in values for label, _ in labels))
    family = kind(name, name.replace("_", " "), labels=names)
    for labels, value in values.items():
        # A label that one sample lacks is the empty text (Prometheus data model).
        known = dict(labels)
        family.add_metric([known.get(label, "") for label in names], value)
    return family
