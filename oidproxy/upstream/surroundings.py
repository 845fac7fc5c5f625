"""What all pools of a process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from oidproxy.upstream.connecting import Connector
    from oidproxy.upstream.resolving import Resolver


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The loop and what works on it."""

    loop: asyncio.AbstractEventLoop
    connector: Connector
    resolver: Resolver
    view: memoryview
    """What every connection reads into."""
    workers: int
    """Processes that share the limits on connections."""
