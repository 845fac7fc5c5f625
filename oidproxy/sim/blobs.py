"""Bytes on disk, written and read in pieces and hashed on the way: images and volumes are never held in
memory."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO, Self

from oidproxy.sim.messages import Content

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path
    from types import TracebackType

PIECE = 1 << 18


class Hasher:
    """Digests of a stream."""

    def __init__(self) -> None:
        self._size = 0
        self._digests = (
            hashlib.md5(usedforsecurity=False),
            hashlib.sha256(),
            hashlib.sha512(),
        )

    def feed(self, data: bytes) -> None:
        """More of the stream."""
        self._size += len(data)
        for digest in self._digests:
            digest.update(data)

    def content(self) -> Content:
        """What was fed so far."""
        return Content(self._size, *(digest.hexdigest() for digest in self._digests))


class Writer:
    """Writes one blob: it appears under its name when it is complete, and leaves nothing behind when it is
    not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._hasher = Hasher()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._file = self._partial.open("wb", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Append."""
        if self._file is None:
            raise ValueError("the blob is not open")
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._hasher.feed(data)

    def content(self) -> Content:
        """What was written so far."""
        return self._hasher.content()


class Blobs:
    """The blobs of one cloud, in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def clear(self) -> None:
        """Delete them all: what an earlier run left means nothing to a new one."""
        for path in self._directory.iterdir():
            path.unlink()

    def _path(self, name: str) -> Path:
        if os.sep in name or name.startswith("."):
            raise ValueError(f"{name!r} is no name of a blob")
        return self._directory / name

    def writer(self, name: str) -> Writer:
        """A new blob, as a context."""
        return Writer(self._path(name))

    def size(self, name: str) -> int:
        """Its length."""
        return self._path(name).stat().st_size

    def pieces(self, name: str) -> Generator[bytes]:
        """Its bytes, piece by piece."""
        with self._path(name).open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                yield piece

    def remove(self, name: str) -> None:
        """Delete it, if it is there."""
        self._path(name).unlink(missing_ok=True)


def generated(pattern: str, size: int) -> Iterator[bytes]:
    """`size` bytes that depend on `pattern` alone: what stands in for the disk of a server."""
    block = hashlib.shake_256(pattern.encode()).digest(1 << 16)
    while size > 0:
        yield block[:size]
        size -= len(block)
