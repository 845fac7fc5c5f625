"""The files of one worker's recording: compressed, one after the other, and never more than their room."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import msgspec

from oidproxy.trace.line import SCHEMA_VERSION, Header
from oidproxy.trace.recording import iso
from oidproxy.trace.writing import COMPRESSED, compressing, created
from oidproxy.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.trace.recording import Recording

SLACK = 256 * 1024
"""Bytes that may still be on their way to the file: so much before its end the room counts as full."""

GATHERED = 64 * 1024
"""Bytes that are compressed at once."""


class Parts:
    """Writes lines of JSON; used by one thread.

    Where the room is used up nothing more is written: the beginning of a recording is what its later requests
    depend on, so that is what stays.
    """

    def __init__(self, recording: Recording, clouds: Sequence[str]) -> None:
        """`clouds` are those of the configuration. Raises OSError: no file can be made there."""
        self._recording = recording
        self._clouds = list(clouds)
        self._number = 0
        self._before = self._left_by_others()
        """Bytes of the parts that are complete."""
        self._writer: IO[bytes] | None = None
        self._gathered = bytearray()
        self._begin()

    @property
    def size(self) -> int:
        """Bytes of all files so far."""
        return self._before + (self._writer.tell() if self._writer is not None else 0)

    def write(self, lines: bytes) -> bool:
        """Lines, each with its line feed; False: there is no room for them. Raises OSError."""
        recording = self._recording
        if self.size + SLACK > recording.room:
            self.close()
            return False
        if self._writer is None or self._writer.tell() >= recording.part:
            self._begin()
        self._gathered += lines
        if len(self._gathered) >= GATHERED:
            self._compress()
        return True

    def flush(self) -> None:
        """Let readers see what was written. Raises OSError."""
        self._compress()
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Complete the file. Raises OSError."""
        self._compress()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            self._before += writer.tell()

    def _compress(self) -> None:
        lines, self._gathered = self._gathered, bytearray()
        if lines and self._writer is not None:
            self._writer.write(lines)

    def _begin(self) -> None:
        self.close()
        self._number += 1
        recording = self._recording
        name = f"worker-{recording.worker}-{self._number:05d}{COMPRESSED}"
        file = os.fdopen(created(recording.folder / name), "wb")
        self._writer = compressing(file)
        self._writer.write(msgspec.json.encode(self._header()) + b"\n")
        self._writer.flush()

    def _header(self) -> Header:
        recording = self._recording
        return Header(
            oidproxy_trace=SCHEMA_VERSION,
            began=iso(recording.began),
            source="serve",
            sorted=False,
            recording=recording.name,
            part=f"{recording.worker}/{self._number}",
            versions={"oidproxy": VERSION},
            clouds=self._clouds if self._number == 1 else [],
            bodies=recording.bodies,
        )

    def _left_by_others(self) -> int:
        """What a worker of the same number wrote before it was ended and started again."""
        total = 0
        for path in self._recording.folder.glob(f"worker-{self._recording.worker}-*"):
            with suppress(ValueError, IndexError):
                self._number = max(self._number, int(path.name.split("-")[2].partition(".")[0]))
                total += path.lstat().st_size
        return total
