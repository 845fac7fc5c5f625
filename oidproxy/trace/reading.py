"""Reads traces: one file, or a folder of the files that belong together."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import msgspec
import zstandard

from oidproxy.errors import TraceInvalid
from oidproxy.trace.line import SCHEMA_VERSION, Header, Line
from oidproxy.trace.sorting import in_order
from oidproxy.trace.writing import COMPRESSED, PLAIN, is_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECE = 1024 * 1024
"""Bytes that are read at once."""

LINE_AT_MOST = 16 * 1024 * 1024

_HEAD_AT_MOST, _BLOCK_HEAD, _REPEATED = 18, 3, 1
"""Of a zstd frame: bytes of its head, of each block's; the type of a block of one byte many times."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a line that is none makes of its reader."""

_set = msgspec.structs.force_setattr


@dataclass(slots=True)
class Trace:
    """A trace that can be read as often as wanted; nothing of it is held."""

    path: Path
    files: tuple[Path, ...]
    header: Header
    """Of the first file, with all files' clouds."""
    cut: list[Path] = field(default_factory=list)
    """Files, of those read so far, that end too early: whoever wrote them was ended, or still writes."""

    def lines(self) -> Iterator[Line]:
        """Every request in the order of `at`, numbered.

        Raises:
            TraceInvalid: a line is not a trace's; the error names file and line.
            OSError: a file cannot be read.
        """
        if self.header.sorted:
            return self._as_they_stand()
        return self._sorted()

    def raw(self) -> Iterator[tuple[Path, int, bytes]]:
        """Every line but the headers, as it stands, with its file and its number there."""
        for path in self.files:
            yield from ((path, number, data) for number, data in _rest(path, self.cut))

    def _as_they_stand(self) -> Iterator[Line]:
        decode = msgspec.json.Decoder(Line).decode
        for path in self.files:
            for number, data in _rest(path, self.cut):
                try:
                    line = decode(data)
                except UNREADABLE as error:
                    raise _bad(path, number, error) from None
                yield line

    def _sorted(self) -> Iterator[Line]:
        at = msgspec.json.Decoder(_When).decode
        decode = msgspec.json.Decoder(Line).decode

        def timed() -> Iterator[tuple[int, bytes]]:
            for path, number, data in self.raw():
                try:
                    yield at(data).at, data
                except UNREADABLE as error:
                    raise _bad(path, number, error) from None

        for number, data in enumerate(in_order(timed())):
            try:
                line = decode(data)
            except UNREADABLE:
                # Which one it is was forgotten on the way: read as they stand, it is named.
                for line in self._as_they_stand():
                    del line
                raise
            _set(line, "n", number)
            yield line


class _When(msgspec.Struct):
    at: int


def open_trace(path: Path) -> Trace:
    """A trace's file (`.jsonl`, `.jsonl.zst`), or the folder of a recording.

    Raises:
        TraceInvalid: it is none; the error says what to do.
        OSError: it cannot be read.
    """
    files = _files(path)
    headers = [read_header(one) for one in files]
    recordings = {one.recording for one in headers}
    if len(recordings) > 1 or (len(files) > 1 and not headers[0].recording):
        names = ", ".join(sorted({_recording_of(one) for one in files}))
        raise TraceInvalid(f"this folder holds several traces: give one of them ({names})", file=str(path))
    clouds = list(dict.fromkeys(name for one in headers for name in one.clouds))
    whole = all(one.sorted for one in headers) and len(files) == 1
    return Trace(path, files, msgspec.structs.replace(headers[0], clouds=clouds, sorted=whole))


def read_header(path: Path) -> Header:
    """The first line of a file. Raises TraceInvalid, OSError."""
    first = next(_lines(path, []), None)
    if first is None:
        raise TraceInvalid("this file is empty: a trace begins with a header", file=str(path), line=1)
    try:
        version = msgspec.json.decode(first[1], type=_Version).oidproxy_trace
        if version != SCHEMA_VERSION:
            raise TraceInvalid(
                f"this trace has version {version}, and this oidproxy reads version {SCHEMA_VERSION}",
                file=str(path),
                line=1,
            )
        return msgspec.json.decode(first[1], type=Header)
    except UNREADABLE:
        raise TraceInvalid(
            'this is no trace: its first line is no header ({"oidproxy_trace": 1, …}); '
            "other formats are read with `oidproxy trace import`",
            file=str(path),
            line=1,
        ) from None


class _Version(msgspec.Struct):
    oidproxy_trace: int


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        if not is_trace(path.name):
            raise TraceInvalid(
                f"a trace's name ends in {PLAIN} or {COMPRESSED}; "
                "other formats are read with `oidproxy trace import`",
                file=str(path),
            )
        return (path,)
    # A file that was begun just now may have no header yet.
    found = tuple(sorted(one for one in path.iterdir() if is_trace(one.name) and not _is_blank(one)))
    return found or _of_the_only_one(path)


def _of_the_only_one(path: Path) -> tuple[Path, ...]:
    """The files of the recording in this folder of recordings, where it is the only one."""
    folders = [one for one in sorted(path.iterdir()) if one.is_dir() and any(map(_may_be, one.iterdir()))]
    if len(folders) == 1:
        return _files(folders[0])
    if folders:
        names = ", ".join(one.name for one in folders)
        raise TraceInvalid(f"several recordings are here: give one of them ({names})", file=str(path))
    raise TraceInvalid(f"no file here ends in {PLAIN} or {COMPRESSED}", file=str(path))


def _may_be(path: Path) -> bool:
    return is_trace(path.name)


def _is_blank(path: Path) -> bool:
    return next(_lines(path, []), None) is None


def _recording_of(path: Path) -> str:
    return read_header(path).recording or path.name


def _rest(path: Path, cut: list[Path]) -> Iterator[tuple[int, bytes]]:
    lines = _lines(path, cut)
    next(lines, None)
    return lines


def _lines(path: Path, cut: list[Path]) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of every line that is whole; the name of a file that ends within one goes to `cut`."""
    number, kept = 0, b""
    for piece in _pieces(path):
        *whole, kept = (kept + piece).split(b"\n")
        for line in whole:
            number += 1
            if line.strip():
                yield number, line
        if len(kept) > LINE_AT_MOST:
            raise TraceInvalid("this line is too long for a trace's", file=str(path), line=number + 1)
    if (kept.strip() or not _is_whole(path)) and path not in cut:
        cut.append(path)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if path.name.endswith(PLAIN):
            while piece := file.read(PIECE):
                yield piece
            return
        # A writer that was ended leaves a frame without its end: what there is of it is read.
        with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
            try:
                while piece := reader.read(PIECE):
                    yield piece
            except zstandard.ZstdError as error:
                raise TraceInvalid(f"this is not compressed by zstd: {error}", file=str(path)) from None


def _is_whole(path: Path) -> bool:
    """Whether a file that was read to its end has all of its last frame (RFC 8878, 3.1.1).

    What a decompressor gave of one that has not may well end with a line.
    """
    if path.name.endswith(PLAIN):
        return True
    with path.open("rb") as file:
        while head := file.read(_HEAD_AT_MOST):
            try:
                begin = file.tell() - len(head) + zstandard.frame_header_size(head)
                checked = zstandard.get_frame_parameters(head).has_checksum
            except zstandard.ZstdError:
                return False
            if not _is_behind_blocks(file, begin, 4 if checked else 0):
                return False
    return True


def _is_behind_blocks(file: IO[bytes], begin: int, checksum: int) -> bool:
    """Go behind a frame whose blocks begin there; False: it has not all of them."""
    file.seek(begin)
    last = False
    while not last:
        head = file.read(_BLOCK_HEAD)
        if len(head) < _BLOCK_HEAD:
            return False
        number = int.from_bytes(head, "little")
        last, kind, size = bool(number & 1), number >> 1 & 3, number >> 3
        skipped = (1 if kind == _REPEATED else size) + (checksum if last else 0)
        if skipped:
            file.seek(skipped - 1, os.SEEK_CUR)
            if not file.read(1):
                return False
    return True


def _bad(path: Path, number: int, error: Exception) -> TraceInvalid:
    return TraceInvalid(f"this line is not a trace's: {error}", file=str(path), line=number)
