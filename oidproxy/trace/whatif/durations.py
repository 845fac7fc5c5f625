"""Durations as they stand on a command line: `90s`, `10m`, `1h30m`, `250ms`."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Seconds; a number alone is one of seconds. Raises ValueError."""
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    if not text or _PART.sub("", text):
        raise ValueError(f"expected a duration as 90s, 10m or 1h30m, got {text!r}")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
