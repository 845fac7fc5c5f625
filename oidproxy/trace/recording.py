"""One recording: where it goes, how much it may take, and the key by which its users are told apart."""

from __future__ import annotations

import errno
import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oidproxy.errors import TraceInvalid
from oidproxy.trace.writing import is_trace

if TYPE_CHECKING:
    from pathlib import Path

LEAST = 1024 * 1024
"""Bytes for each worker: with fewer a recording does not begin."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a worker has to know to record."""

    name: str
    folder: Path
    """Its own, which is there already."""
    began: int
    """Nanoseconds since the epoch."""
    key: bytes = field(repr=False)
    """For the digests of tokens; it stands in no file."""
    room: int
    """Bytes that one worker's files may take together."""
    part: int
    """Bytes of one file, about; then another is begun."""
    bodies: bool = False
    worker: int = 0
    """Whose files these are."""

    def for_worker(self, number: int) -> Recording:
        """The same, for one of the workers."""
        return replace(self, worker=number)


def begin(folder: Path, *, size: int, part: int, bodies: bool, workers: int) -> Recording:
    """Make the folder of a new recording inside `folder`, which is made if its own folder is there.

    `size` bounds everything in `folder`, in bytes: what is there leaves so much less.

    Raises:
        TraceInvalid: there is no room left; the error says what to do.
        OSError: it cannot be made.
    """
    _made(folder)
    room = (size - used(folder)) // workers
    if room < LEAST:
        raise TraceInvalid(
            f"{folder} holds {used(folder) >> 20} MiB of the {size >> 20} MiB that recordings may take: "
            "move old ones away, or raise record.size"
        )
    now = time.time_ns() // 1000 * 1000
    name = f"{datetime.fromtimestamp(now // 10**9, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    own = folder / name
    own.mkdir(mode=0o700)
    key = secrets.token_bytes(32)
    return Recording(name, own, now, key, room, min(part, room), bodies)


def used(folder: Path) -> int:
    """Bytes of all recordings in a folder."""
    total = 0
    for path in folder.glob("*/*"):
        if is_trace(path.name):
            total += path.lstat().st_size
    return total


def iso(nanoseconds: int) -> str:
    """A time since the epoch as a header has it, to the microsecond."""
    seconds, rest = divmod(nanoseconds, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest // 1000:06d}Z"


def _made(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "recordings need a folder here", str(folder)) from None
