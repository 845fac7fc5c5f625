"""One line for each request: what came, where it went and why, and what became of it."""

from __future__ import annotations

import contextlib
import os
import select
import stat

import msgspec

from oidproxy.telemetry import redact

PATH_AT_MOST = 1024
AGENT_AT_MOST = 256
"""Characters that are kept; clients choose both."""

LINE_AT_MOST = 4096
"""So long a write to a pipe is not torn apart (POSIX: PIPE_BUF)."""

FLUSH_AT = 32 * 1024
BUFFER_AT_MOST = 1024 * 1024
"""Bytes that wait for a sink which takes nothing; what comes then is counted and dropped."""

_NAMED = {"-": 1, "stdout": 1, "/dev/stdout": 1, "stderr": 2, "/dev/stderr": 2}


class AccessLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request; what is not known is left out. `path` and `agent` are given as they came."""

    time: int
    """When its first byte came, in nanoseconds since the epoch."""
    request_id: str
    listener: str
    """`host:port` it came in at."""
    peer: str
    method: str
    path: str
    """The request's target."""
    status: int
    """0 where no answer began."""
    bytes_in: int
    """Of the request's body, as it came; likewise `bytes_out` of the answer's."""
    bytes_out: int
    ms: float
    """From its first byte to the end of the answer."""
    first_byte_ms: float | None = None
    """… to the first byte of the answer."""
    agent: str | None = None
    caller: str | None = None
    """The service that called, as its user's name; None for a user."""
    service: str | None = None
    cloud: str | None = None
    """The cloud that served it."""
    home: str | None = None
    """The cloud of its token."""
    carrier: str | None = None
    """What bound the service to this cloud."""
    scope: str | None = None
    """Canonical."""
    error: str | None = None
    """Code of an error of our own."""
    attempts: int = 1
    lost: bool = False
    """The client was gone before the answer's end."""
    exchanged: str | None = None
    """How the cloud's token was had that went there instead of the user's: `mapped`, `carried` or `same`."""
    user: str | None = None
    """With `exchanged`: the user's id at home, where the cloud may see one account for many …"""
    project: str | None = None
    """… and the project's."""

    def __post_init__(self) -> None:
        # Here, so that no line exists that is not redacted.
        msgspec.structs.force_setattr(self, "path", _cut(redact.target(self.path), PATH_AT_MOST))
        if self.agent is not None:
            msgspec.structs.force_setattr(self, "agent", _cut(redact.text(self.agent), AGENT_AT_MOST))


def form(line: AccessLine) -> bytes:
    """A line to be filled by `%`, with bytes and numbers that are redacted and need no escape in JSON.

    These are, in this order: time, request id, peer, path, `bytes_out`, `ms` and `first_byte_ms`, each of
    which is nothing or 0 in the line that is given.
    """
    text = _encoder.encode(line).replace(b"%", b"%%")
    for empty, filled in _TO_FILL:
        text = text.replace(empty, filled, 1)
    return text + b"\n"


_encoder = msgspec.json.Encoder()
_TO_FILL = (
    (b'"time":0', b'"time":%d'),
    (b'"request_id":""', b'"request_id":"%b"'),
    (b'"peer":""', b'"peer":"%b"'),
    (b'"path":""', b'"path":"%b"'),
    (b'"bytes_out":0', b'"bytes_out":%d'),
    (b'"ms":0.0', b'"ms":%.3f'),
    (b'"first_byte_ms":0.0', b'"first_byte_ms":%.3f'),
)


class AccessLog:
    """Appends access lines as JSON to a file, or to a standard stream.

    Lines gather in memory: `flush` writes them, as does `write` when there are many. Several processes may
    share a file, since whole lines are appended at once. Nothing here waits for a reader: lines that a
    stalled sink does not take are dropped and counted.
    """

    def __init__(self, descriptor: int | None, path: str = "") -> None:
        self.dropped = 0
        """Lines that were lost."""
        self._descriptor = descriptor
        self._path = path
        self._is_file = descriptor is not None and stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._lines: list[bytes] = []
        self._size = 0

    @classmethod
    def open(cls, name: str) -> AccessLog:
        """`-` or `stdout`, `stderr`, the path of a file (made with mode 0600), or nothing for no log at all.

        Raises:
            OSError: the file cannot be opened, or is a symbolic link.
        """
        if not name:
            return cls(None)
        if name in _NAMED:
            return cls(_NAMED[name])
        return cls(_opened(name), name)

    def write(self, line: AccessLine) -> None:
        """Take one line."""
        if self._descriptor is None:
            return
        data = _encoder.encode(line) + b"\n"
        if len(data) > LINE_AT_MOST:
            data = _encoder.encode(_shortened(line)) + b"\n"
        self.add(data)

    def add(self, data: bytes) -> None:
        """Take one line as it is to be written, of at most `LINE_AT_MOST` bytes (`form`)."""
        if self._descriptor is None:
            return
        if self._size + len(data) > BUFFER_AT_MOST:
            self.dropped += 1
            return
        self._lines.append(data)
        self._size += len(data)
        if self._size >= FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Write what the sink takes now; called by whoever has a clock, and before the process ends."""
        while self._lines and self._takes():
            batch = self._batch()
            written = self._written(b"".join(batch))
            if written == 0:
                return
            del self._lines[: len(batch)]
            self._size -= sum(map(len, batch))
            if written < sum(map(len, batch)):
                # A full disk: what is on it ends within a line, and a line feed keeps the next one whole.
                self.dropped += _unwritten(batch, written)
                self._lines.insert(0, b"\n")
                self._size += 1
                return

    def reopen(self) -> None:
        """Open the file anew, after it was moved away. On an error the old one is kept.

        Raises:
            OSError: it cannot be opened.
        """
        if not self._path:
            return
        self.flush()
        descriptor = _opened(self._path)
        self.close()
        self._descriptor = descriptor

    def close(self) -> None:
        """Write what there is and close the file; a standard stream stays open."""
        self.flush()
        if self._path and self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def _takes(self) -> bool:
        """Whether a write of `LINE_AT_MOST` bytes would not wait. A regular file always takes."""
        if self._descriptor is None or self._is_file:
            return self._descriptor is not None
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return any(event & select.POLLOUT for _, event in poll.poll(0))

    def _batch(self) -> list[bytes]:
        """All lines for a file; for a pipe as many as are written without being torn apart, at least one."""
        if self._is_file:
            return list(self._lines)
        size, count = 0, 0
        for line in self._lines:
            size += len(line)
            if size > LINE_AT_MOST and count:
                break
            count += 1
        return self._lines[:count]

    def _written(self, data: bytes) -> int:
        with contextlib.suppress(OSError):
            return os.write(self._descriptor if self._descriptor is not None else -1, data)
        return 0


def _opened(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, 0o600)


def _unwritten(lines: list[bytes], written: int) -> int:
    """How many lines are not whole after so many bytes."""
    return len(lines) - b"".join(lines)[:written].count(b"\n")


def _shortened(line: AccessLine) -> AccessLine:
    cut = {
        name: _cut(getattr(line, name) or "", 128) or None for name in ("agent", "scope", "home", "caller")
    }
    return msgspec.structs.replace(line, path=_cut(line.path, 256), **cut)


def _cut(text: str, at_most: int) -> str:
    return text if len(text) <= at_most else text[: at_most - 1] + "…"
