"""The words between the parent and a worker, and how they travel over the socket pair that joins them.

Length-prefixed pickles: only these two processes, parent and child, ever hold the ends of the pair.
"""

from __future__ import annotations

import asyncio
import copyreg
import io
import pickle
import struct
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.registry import Registry
    from oidproxy.telemetry.counters import Samples

_SIZE = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class Start:
    """To a new worker: serve this."""

    registry: Registry = field(repr=False)
    serial: int
    pseudonym: str
    """How this proxy names itself in Via; the same in all of its workers."""
    access_log: str
    workers: int
    """How many share the clouds' connection limits."""
    state: str = field(repr=False)
    """The file of the shared state, which the parent has prepared; or a server's URL."""


@dataclass(frozen=True, slots=True)
class Reload:
    """To a worker: serve this from the next request on."""

    registry: Registry = field(repr=False)
    serial: int


@dataclass(frozen=True, slots=True)
class Drain:
    """To a worker: finish what is under way, and end."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: it serves."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """From a worker: it serves this serial; or, with `error`, it could not and goes on as before."""

    serial: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: it cannot start."""

    error: str


@dataclass(frozen=True, slots=True)
class Counted:
    """From a worker, each second: its counters since it began, and its gauges now."""

    counters: Samples


@dataclass(frozen=True, slots=True)
class Learned:
    """From a worker, each second: cloud -> ids that it was seen to hold (`manyclouds.locations`)."""

    found: Mapping[str, bytes]


Message = Start | Reload | Drain | Ready | Reloaded | Failed | Counted | Learned


def pack(message: Message) -> bytes:
    """The message as it travels."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    data = buffer.getvalue()
    return _SIZE.pack(len(data)) + data


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None when the other side is gone."""
    try:
        (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
        data = await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return cast("Message", pickle.loads(data))  # noqa: S301 - from our own parent or child over a socket pair


def _rebuild(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


def _reduce(proxy: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return _rebuild, (dict(proxy),)


class _Pickler(pickle.Pickler):
    """Knows the registry's read-only mappings."""

    dispatch_table = {**copyreg.dispatch_table, MappingProxyType: _reduce}  # noqa: RUF012 - pickle's interface
