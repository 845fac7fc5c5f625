"""`limits:` of a configuration, read over the defaults."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from oidproxy.clouds.limits import Limits
from oidproxy.clouds.units import count, seconds, share, size
from oidproxy.scope.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.clouds.findings import Findings

_SHARES = frozenset({"retry_share"})
_COUNTS = frozenset(
    {
        "clients",
        "fields",
        "pool",
        "pool_reserved",
        "identity_pool",
        "waiting",
        "eject_after",
        "fan_out_calls",
        "fan_out_clouds",
        "fan_out_rows",
        "fan_out_token",
        "index",
        "via_depth",
    }
)
_MAY_BE_ZERO = frozenset(
    {
        "body_rate",
        "chunk_extensions",
        "client_keep_alive",
        "drain",
        "drain_grace",
        "pool_reserved",
        "retry_share",
        "trailers",
        "upstream_keep_alive",
        "wait",
        "waiting",
    }
)
"""Where 0 means "none"; anywhere else it would only make every request fail."""


def limits(given: Mapping[str, str], findings: Findings) -> Limits:
    """The defaults, replaced by name with what was given; what cannot be read is noted and left as it was."""
    read: dict[str, Any] = {name: _limit(name, text, findings) for name, text in given.items()}
    found = replace(Limits(), **{name: value for name, value in read.items() if value is not None})
    if found.pool_reserved >= found.pool:
        path = ("limits", "pool_reserved" if "pool_reserved" in given else "pool")
        findings.wrong(path, f"pool_reserved ({found.pool_reserved}) must be less than pool ({found.pool})")
    return found


def _limit(name: str, text: str, findings: Findings) -> float | None:
    path = ("limits", name)
    if name not in NAMES:
        suggestion = nearest(name, NAMES)
        listing = "" if suggestion else f"; known here: {', '.join(NAMES)}"
        findings.wrong(path, f"unknown limit {name!r}{listing}", key=True, suggestion=suggestion)
        return None
    value: float | None = findings.read(path, reader_of(name), text)
    if value == 0 and name not in _MAY_BE_ZERO:
        findings.wrong(path, f"{name} must be more than 0")
        return None
    return value


def reader_of(name: str) -> Callable[[str], float]:
    """Reads the text of a limit; raises ValueError."""
    if name in _SHARES:
        return share
    if name in _COUNTS:
        return count
    return seconds if isinstance(getattr(Limits(), name), float) else size


NAMES = tuple(field.name for field in fields(Limits))
"""Every limit, in the order of `Limits`."""
