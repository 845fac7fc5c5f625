"""How long clouds think: as the trace has it, else drawn. No request changes another's."""

from __future__ import annotations

import math
from hashlib import blake2b
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.trace.virtual.ledger import Entry

MEDIAN = 0.015
"""Seconds, where the trace says nothing …"""
SPREAD = 0.5
"""… and the standard deviation of the logarithm."""
SECOND = 1_000_000_000
_NORMAL = NormalDist()


class ServiceTimes:
    """Drawn by the seed, the request and the cloud."""

    def __init__(self, seed: int, *, constant: float | None = None) -> None:
        """`constant`: seconds, whatever the trace says."""
        self._seed = seed
        self._constant = constant

    def of(self, cloud: str, entry: Entry | None) -> float:
        """Seconds from a request's last byte to the answer's first."""
        if self._constant is not None:
            return self._constant
        if entry is None:
            return MEDIAN
        steps = entry.line.steps
        if "first_byte" in steps:
            return max(0.0, (steps["first_byte"] - steps.get("sent", 0)) / SECOND)
        return self._drawn(cloud, entry.key)

    def _drawn(self, cloud: str, number: int) -> float:
        digest = blake2b(f"{self._seed}/{cloud}/{number}".encode(), digest_size=6).digest()
        share = (int.from_bytes(digest, "big") + 0.5) / (1 << 48)
        return MEDIAN * math.exp(SPREAD * _NORMAL.inv_cdf(share))
