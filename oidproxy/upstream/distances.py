"""How far the clouds are: the round-trip times of connections that were opened, as the system took them."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_TCP_INFO_SIZE = 104
_ROUND_TRIP = struct.Struct("=I")
_ROUND_TRIP_AT = 68
"""Of `tcpi_rtt` in `struct tcp_info` (linux/tcp.h), microseconds."""


class Distances:
    """Those of one worker: of each cloud the least since they were taken. Others hold queues, too."""

    __slots__ = ("_least",)

    def __init__(self) -> None:
        self._least: dict[str, int] = {}

    def note(self, cloud: str, transport: asyncio.BaseTransport) -> None:
        """A connection to this cloud was opened."""
        found = round_trip_us(transport)
        if found and found < self._least.get(cloud, found + 1):
            self._least[cloud] = found

    def take(self) -> dict[str, int]:
        """Cloud -> microseconds, since the last time."""
        least, self._least = self._least, {}
        return least


def round_trip_us(transport: asyncio.BaseTransport) -> int:
    """The connection's round-trip time; of a new one that of its first packet. 0 where it is not known.

    TLS takes several of them, and some systems do not tell.
    """
    if not hasattr(socket, "TCP_INFO"):
        return 0
    connection = transport.get_extra_info("socket")
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        return int(_ROUND_TRIP.unpack_from(told, _ROUND_TRIP_AT)[0])
    except (AttributeError, OSError, struct.error):
        return 0
