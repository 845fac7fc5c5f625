"""Writes a trace to a file: JSON lines, compressed where the name says so."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Self, cast

import msgspec
import zstandard

from oidproxy.errors import TraceInvalid

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from oidproxy.trace.line import Header, Line

PLAIN, COMPRESSED = ".jsonl", ".jsonl.zst"

LEVEL = 1
"""Of zstd: a line becomes some 60 bytes, in half a microsecond."""

GATHERED = 256 * 1024
"""Bytes that are written at once."""


class TraceWriter:
    """A new file, readable by its owner alone; `TraceInvalid` where its name is not a trace's.

    Raises:
        OSError: it cannot be made, or is there already.
    """

    def __init__(self, path: Path, header: Header, *, replace: bool = False) -> None:
        """`replace`: a file that is there is overwritten."""
        self._file = _opened(path, replace=replace)
        self._encoder = msgspec.json.Encoder()
        self._lines = bytearray(self._encoder.encode(header))
        self._lines += b"\n"
        self.count = 0
        """Lines that were added."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, line: Line) -> None:
        """Write one line, sooner or later."""
        self.add_encoded(self._encoder.encode(line))

    def add_encoded(self, data: bytes) -> None:
        """Write one line that is JSON already."""
        self._lines += data
        self._lines += b"\n"
        self.count += 1
        if len(self._lines) >= GATHERED:
            self._write()

    def close(self) -> None:
        """Write what is left. Again is no error."""
        if not self._file.closed:
            try:
                self._write()
            finally:
                self._file.close()

    def _write(self) -> None:
        self._file.write(self._lines)
        self._lines = bytearray()


def is_trace(name: str) -> bool:
    """Whether a file of this name may be a trace's."""
    return name.endswith((PLAIN, COMPRESSED))


def _opened(path: Path, *, replace: bool) -> IO[bytes]:
    if not is_trace(path.name):
        raise TraceInvalid(f"a trace's name ends in {PLAIN} or {COMPRESSED}", file=str(path))
    file = os.fdopen(created(path, replace=replace), "wb")
    if path.name.endswith(PLAIN):
        return file
    return compressing(file)


def compressing(file: IO[bytes]) -> IO[bytes]:
    """What compresses into a file, and closes it; `tell` counts the file's bytes."""
    return cast("IO[bytes]", zstandard.ZstdCompressor(level=LEVEL).stream_writer(file, closefd=True))


def created(path: Path, *, replace: bool = False) -> int:
    """A descriptor of a new file of mode 0600; never of what a symbolic link points to.

    Raises:
        OSError: it cannot be made; without `replace`, also where it is there.
    """
    kind = os.O_TRUNC if replace else os.O_EXCL
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | kind, 0o600)
