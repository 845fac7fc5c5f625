"""The words between the parent and a worker, and how they travel over the socket pair that joins them.

Length-prefixed pickles: only these two processes, parent and child, ever hold the ends of the pair.

A registry travels in parts of a few clouds each. To read one of ten thousand clouds takes a second, during
which a worker could do nothing else; between two parts it serves.
"""

from __future__ import annotations

import asyncio
import copyreg
import gc
import io
import pickle
import struct
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oidproxy.clouds.registry import Cloud, Endpoint, Registry
    from oidproxy.telemetry.counters import Samples
    from oidproxy.trace.recording import Recording

CLOUDS_AT_ONCE = 20
"""In a part of a registry: a few milliseconds' work."""

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
    recording: Recording | None = None
    """What goes on, with this worker's number."""


@dataclass(frozen=True, slots=True)
class Reload:
    """To a worker: serve this from the next request on."""

    registry: Registry = field(repr=False)
    serial: int


@dataclass(frozen=True, slots=True)
class Distant:
    """To a worker: cloud -> round-trip time from here, in microseconds, where none is declared."""

    measured: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Measured:
    """From a worker: cloud -> the least round-trip time that it saw since the last time, in microseconds."""

    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Drain:
    """To a worker: finish what is under way, and end."""


@dataclass(frozen=True, slots=True)
class Record:
    """To a worker: record from now on; None: no longer."""

    recording: Recording | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """From a worker: it does as it was told; or, with `error`, it cannot, and records nothing."""

    name: str
    """The recording's; empty where it ended."""
    error: str = ""


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


@dataclass(frozen=True, slots=True)
class _Part:
    """Some clouds of the registry that the next message is about, and their rows of its index."""

    clouds: Mapping[str, Cloud]
    index: Mapping[tuple[str, str], tuple[Endpoint, ...]]


Message = (
    Start
    | Reload
    | Distant
    | Drain
    | Record
    | Recorded
    | Ready
    | Reloaded
    | Failed
    | Counted
    | Learned
    | Measured
)


def pack(message: Message) -> bytes:
    """The message as it travels."""
    if not isinstance(message, Start | Reload):
        return _frame(message)
    registry = message.registry
    bare = replace(registry, clouds=MappingProxyType({}), index=MappingProxyType({}))
    return b"".join(map(_frame, [*_parts(registry), replace(message, registry=bare)]))


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None when the other side is gone."""
    clouds: dict[str, Cloud] = {}
    index: dict[tuple[str, str], tuple[Endpoint, ...]] = {}
    while isinstance(message := await _read(reader), _Part):
        clouds.update(message.clouds)
        index.update(message.index)
        # What a registry is made of stays; to walk through all of it would take the collector a tenth of a
        # second and more, again and again.
        gc.freeze()
        await asyncio.sleep(0)
    if isinstance(message, Start | Reload):
        whole = replace(message.registry, clouds=MappingProxyType(clouds), index=MappingProxyType(index))
        return replace(message, registry=whole)
    return message


def _parts(registry: Registry) -> Iterator[_Part]:
    rows: dict[str, dict[tuple[str, str], tuple[Endpoint, ...]]] = {}
    for key, endpoints in registry.index.items():
        rows.setdefault(key[0], {})[key] = endpoints
    clouds = iter(registry.clouds.items())
    while some := dict(islice(clouds, CLOUDS_AT_ONCE)):
        yield _Part(some, {key: row for name in some for key, row in rows.get(name, {}).items()})


def _frame(message: Message | _Part) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    data = buffer.getvalue()
    return _SIZE.pack(len(data)) + data


async def _read(reader: asyncio.StreamReader) -> Message | _Part | None:
    try:
        (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
        data = await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    gc.disable()
    try:
        return cast("Message | _Part", pickle.loads(data))  # noqa: S301 - from our own parent or child over a socket pair
    finally:
        gc.enable()


def _rebuild(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


def _reduce(proxy: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return _rebuild, (dict(proxy),)


class _Pickler(pickle.Pickler):
    """Knows the registry's read-only mappings."""

    dispatch_table = {**copyreg.dispatch_table, MappingProxyType: _reduce}  # noqa: RUF012 - pickle's interface
