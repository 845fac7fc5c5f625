"""Counts what happens, as plain integers; names and labels become text only when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

Labels = tuple[tuple[str, str], ...]
"""Names and values of one sample's labels."""

Samples = Mapping[str, Mapping[Labels, float]]
"""Metric -> labels -> value. A name that ends in `_total` is a counter, any other a gauge."""

WITHIN = (0.01, 0.1, 1.0, 10.0, 60.0)
"""Seconds that answers are sorted by, for each service; not for each cloud: there may be thousands."""

KEPT = 10_000
"""Label sets of a metric. Clouds are many and clients name paths: what is beyond goes under `OTHER`."""

OTHER = "other"

_CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")


class Counters:
    """Of one process since it began. Nothing here forgets but with the process."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._requests: dict[tuple[str, str, int], int] = {}
        self._services: dict[str, _Service] = {}
        self._events: dict[str, dict[Labels, float]] = {}

    def answered(
        self, service: str, cloud: str, status: int, *, bytes_in: int, bytes_out: int, seconds: float
    ) -> None:
        """One request is over. `service` and `cloud` are empty for what the proxy answered itself.

        A `status` of 0 means that no answer began.
        """
        key = (service, cloud, status // 100)
        requests = self._requests
        if key in requests:
            requests[key] += 1
        else:
            self._first_of(key)
        known = self._services.get(service) or self._service(service)
        known.bytes_in += bytes_in
        known.bytes_out += bytes_out
        known.seconds += seconds
        known.within[bisect_left(WITHIN, seconds)] += 1

    def add(self, name: str, labels: Labels = (), by: float = 1) -> None:
        """Anything else that happens: `name` ends in `_total`."""
        known = self._events.setdefault(name, {})
        if labels not in known and len(known) >= self._kept:
            labels = tuple((label, OTHER) for label, _ in labels)
        known[labels] = known.get(labels, 0) + by

    def samples(self) -> dict[str, dict[Labels, float]]:
        """All of it, as a copy that can be sent to another process."""
        services = self._services.items()
        return {
            "oidproxy_requests_total": {
                (("cloud", cloud), ("service", service), ("status", _status(kind))): count
                for (service, cloud, kind), count in self._requests.items()
            },
            "oidproxy_request_bytes_total": {_of(name): one.bytes_in for name, one in services},
            "oidproxy_answer_bytes_total": {_of(name): one.bytes_out for name, one in services},
            "oidproxy_request_seconds_total": {_of(name): one.seconds for name, one in services},
            "oidproxy_requests_within_total": {
                (("seconds", bound), ("service", name)): count
                for name, one in services
                for bound, count in one.cumulative()
            },
            **{name: dict(known) for name, known in self._events.items()},
        }

    def _service(self, name: str) -> _Service:
        name = name if len(self._services) < self._kept else OTHER
        return self._services.setdefault(name, _Service())

    def _first_of(self, key: tuple[str, str, int]) -> None:
        if len(self._requests) >= self._kept:
            key = (OTHER, OTHER, key[2])
        self._requests[key] = self._requests.get(key, 0) + 1


class _Service:
    __slots__ = ("bytes_in", "bytes_out", "seconds", "within")

    def __init__(self) -> None:
        self.bytes_in = 0
        self.bytes_out = 0
        self.seconds = 0.0
        self.within = [0] * (len(WITHIN) + 1)

    def cumulative(self) -> Iterable[tuple[str, int]]:
        """As Prometheus counts: each bound holds all the smaller ones."""
        total = 0
        for bound, count in zip((*map(str, WITHIN), "+Inf"), self.within, strict=True):
            total += count
            yield bound, total


def merged(parts: Iterable[Samples]) -> dict[str, dict[Labels, float]]:
    """The counters of several processes as one."""
    total: dict[str, dict[Labels, float]] = {}
    for part in parts:
        for name, values in part.items():
            into = total.setdefault(name, {})
            for labels, value in values.items():
                into[labels] = into.get(labels, 0) + value
    return total


def _of(service: str) -> Labels:
    return (("service", service),)


def _status(kind: int) -> str:
    return _CLASSES[kind] if 0 <= kind < len(_CLASSES) else OTHER
