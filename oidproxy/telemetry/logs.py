"""Logging as JSON lines: redacted where a record is made, written by a thread of its own."""

from __future__ import annotations

import json
import logging
import traceback
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import TYPE_CHECKING, TextIO

from oidproxy.errors import OidproxyError
from oidproxy.telemetry import redact

if TYPE_CHECKING:
    from types import TracebackType

RECORDS_AT_MOST = 10_000
"""Records that wait to be written; what comes then is counted and dropped."""


class Logs:
    """Logging set up for this process. Call `stop` before the process ends."""

    def __init__(self, stream: TextIO, level: int | str) -> None:
        self._handler = _Redacting(Queue(RECORDS_AT_MOST))
        writer = logging.StreamHandler(stream)
        writer.setFormatter(logging.Formatter("%(message)s"))
        self._listener = _Listener(self._handler.queue, writer)
        root = logging.getLogger()
        self._before = root.level, list(root.handlers)
        root.handlers[:] = [self._handler]
        root.setLevel(level)
        self._listener.start()

    @property
    def dropped(self) -> int:
        """Records that were lost, because they came faster than they could be written."""
        return self._handler.dropped

    def stop(self) -> None:
        """Write what waits, and leave logging as it was found."""
        root = logging.getLogger()
        if self._handler in root.handlers:
            root.setLevel(self._before[0])
            root.handlers[:] = self._before[1]
            self._listener.stop()


class _Listener(QueueListener):
    queue: Queue[logging.LogRecord | None]

    def enqueue_sentinel(self) -> None:
        """Waits for a place: the queue may be full when it is told to stop."""
        self.queue.put(None)


class _Redacting(QueueHandler):
    """Makes the whole line at once: what is queued holds no secret, nor a reference to one."""

    queue: Queue[logging.LogRecord]

    def __init__(self, records: Queue[logging.LogRecord]) -> None:
        super().__init__(records)
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record with its line as message, and nothing else of it."""
        line = _line(record)
        return logging.LogRecord(
            record.name, record.levelno, record.pathname, record.lineno, line, None, None
        )

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits."""
        try:
            self.queue.put_nowait(record)
        except Full:
            self.dropped += 1


def _line(record: logging.LogRecord) -> str:
    said: dict[str, object] = {
        "time": int(record.created * 1e9),
        "level": record.levelname,
        "logger": record.name,
        "process": record.process,
        "message": redact.text(_message(record)),
    }
    if record.exc_info and record.exc_info[1] is not None:
        said["exception"] = _exception(record.exc_info[1], record.exc_info[2])
    return json.dumps(said)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        # A record with the wrong arguments is a bug, but no reason to lose it. The arguments may hold
        # anything.
        return str(record.msg)


def _exception(error: BaseException, trace: TracebackType | None) -> dict[str, object]:
    """Type and place. An exception's words may quote what could not be read; only our own are safe."""
    shown: dict[str, object] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)],
    }
    if isinstance(error, OidproxyError):
        shown["message"] = redact.text(error.message)
    if isinstance(error, OSError) and error.errno is not None:
        shown["errno"] = error.errno
    return shown
