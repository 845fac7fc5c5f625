"""Durations, sizes, shares and networks as they are written in a configuration.

Every reader raises ValueError with a message that says what was expected.
"""

from __future__ import annotations

import ipaddress
import re

from oidproxy.clouds.limits import KIB, MIB

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
_BYTES = {
    "": 1,
    "B": 1,
    "KiB": KIB,
    "MiB": MIB,
    "GiB": 1024 * MIB,
    "k": 1_000,
    "kB": 1_000,
    "M": 10**6,
    "MB": 10**6,
}


def microseconds(text: str) -> int:
    """A duration with a unit (`10ms`, `0.3ms`, `1s`); `0` needs none."""
    number, unit = _split(text, 'a duration such as "10ms"')
    if not unit and number == 0:
        return 0
    if unit not in _MICROSECONDS:
        raise ValueError(f'{text!r} is no duration: write a unit (us, ms, s, m, h), as in "10ms"')
    return round(number * _MICROSECONDS[unit])


def seconds(text: str) -> float:
    """A duration in seconds: a bare number, or one with a unit (`5s`, `250ms`, `6h`)."""
    number, unit = _split(text, 'a duration such as "5s", "250ms" or a number of seconds')
    if not unit:
        return number
    return microseconds(text) / 1_000_000


def size(text: str) -> int:
    """A size in bytes: a bare number, or one with a unit (`64KiB`, `1MiB`, `500kB`)."""
    number, unit = _split(text, 'a size such as "64KiB" or a number of bytes')
    if unit not in _BYTES:
        raise ValueError(f"{text!r} is no size: the units are {', '.join(filter(None, _BYTES))}")
    return round(number * _BYTES[unit])


def count(text: str) -> int:
    """A whole number, zero or more."""
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"expected a whole number, got {text!r}")
    return int(text)


def share(text: str) -> float:
    """A number from 0 to 1, or a percentage (`20%`)."""
    number, percent = (text[:-1], 100) if text.endswith("%") else (text, 1)
    try:
        value = float(number) / percent
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f'expected a number from 0 to 1 or a percentage such as "20%", got {text!r}')
    return value


def network(text: str) -> str:
    """An IP address or network in CIDR form, spelled canonically."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f'expected an address or a network such as "10.0.0.0/8", got {text!r}') from None


def _split(text: str, expected: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected {expected}, got {text!r}")
    return float(match[1]), match[2]
