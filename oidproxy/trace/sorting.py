"""Sorts more lines than fit into memory: by parts, which wait in temporary files until they are merged."""

from __future__ import annotations

import heapq
import struct
import tempfile
from contextlib import ExitStack
from operator import itemgetter
from typing import IO, TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HELD = 64 * 1024 * 1024
"""Bytes of lines that are sorted in memory."""

_PREFIX = struct.Struct("!qI")
_FIRST = itemgetter(0)

Timed = tuple[int, bytes]
"""When, and what."""


def in_order(lines: Iterable[Timed], *, held: int | None = None) -> Iterator[bytes]:
    """The lines by time; of the same time as they came. `held` is `HELD` where it is not given.

    Raises:
        OSError: there is no room for temporary files.
    """
    with ExitStack() as stack:
        parts: list[IO[bytes]] = []
        part: list[Timed] = []
        size, most = 0, HELD if held is None else held
        for line in lines:
            part.append(line)
            size += len(line[1])
            if size >= most:
                parts.append(stack.enter_context(_put_aside(part)))
                part, size = [], 0
        part.sort(key=_FIRST)
        # `merge` takes equals from the earlier part first.
        for _, data in heapq.merge(*map(_taken_back, parts), part, key=_FIRST):
            yield data


def _put_aside(part: list[Timed]) -> IO[bytes]:
    part.sort(key=_FIRST)
    file = tempfile.TemporaryFile(prefix="oidproxy-trace-")  # noqa: SIM115 - whoever merges closes it
    with zstandard.ZstdCompressor(level=1).stream_writer(file, closefd=False) as writer:
        for at, data in part:
            writer.write(_PREFIX.pack(at, len(data)) + data)
    file.seek(0)
    return file


def _taken_back(file: IO[bytes]) -> Iterator[Timed]:
    with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as reader:
        kept = b""
        while piece := reader.read(256 * 1024):
            kept += piece
            place = 0
            while len(kept) - place >= _PREFIX.size:
                at, size = _PREFIX.unpack_from(kept, place)
                end = place + _PREFIX.size + size
                if end > len(kept):
                    break
                yield at, kept[place + _PREFIX.size : end]
                place = end
            kept = kept[place:]
