"""`--outage cloud-7@10m..20m`: a cloud, or every cloud of a group, that is down for a while."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError
from oidproxy.scope.nearest import nearest
from oidproxy.trace.whatif.durations import seconds

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FORM = "CLOUD@FROM..TO, as cloud-7@10m..20m or @fr@1h..1h30m:silent"


class Manner(StrEnum):
    """How a cloud is down."""

    REFUSED = "refused"
    """Its machines run and its services do not: open connections are reset, new ones refused."""
    SILENT = "silent"
    """It cannot be reached: nothing is answered, nothing refused."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One cloud, from one time to another, in seconds since the trace's first request."""

    cloud: str
    begin: float
    end: float
    manner: Manner = Manner.REFUSED


def outages(text: str, clouds: Collection[str], groups: Mapping[str, tuple[str, ...]]) -> tuple[Outage, ...]:
    """What one `--outage` says. `groups`: group -> its clouds. Raises ConfigError."""
    name, at, when = text.rpartition("@")
    when, _, how = when.partition(":")
    begin, dots, end = when.partition("..")
    if not (name and at and dots):
        raise ConfigError(f"an outage is {FORM}; got {text!r}")
    try:
        manner = Manner(how) if how else Manner.REFUSED
    except ValueError:
        raise ConfigError(f"an outage is refused or silent, not {how!r}") from None
    try:
        first, last = seconds(begin), seconds(end)
    except ValueError as error:
        raise ConfigError(f"{text}: {error}") from None
    if last <= first:
        raise ConfigError(f"{text}: it would end before it begins")
    return tuple(Outage(cloud, first, last, manner) for cloud in _clouds(name, clouds, groups))


def _clouds(name: str, clouds: Collection[str], groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if name.startswith("@"):
        found = groups.get(name[1:])
        if found is None:
            raise ConfigError(_unknown("group", name[1:], groups))
        return found
    if name not in clouds:
        raise ConfigError(_unknown("cloud", name, clouds))
    return (name,)


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"no {what} is called {name!r}" + (f" (did you mean {near}?)" if near else "")
