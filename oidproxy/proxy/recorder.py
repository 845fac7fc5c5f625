"""Takes down what passes: a bounded queue that costs a request next to nothing, and a thread that writes.

Theory of operation. Whoever ends a request puts what it has into a queue, and drops it where that is full;
nothing is looked at then. A thread makes lines of it, a few at a time: it has the interpreter while it does,
and a loop that wants it back waits. Between two steps it rests for as long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from oidproxy.proxy.describing import Describing
from oidproxy.proxy.lane_lines import LaneLines
from oidproxy.proxy.riders import Riders
from oidproxy.trace.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.proxy.ended import Ended
    from oidproxy.proxy.lane_lines import Passed
    from oidproxy.proxy.way import Way
    from oidproxy.telemetry.counters import Labels
    from oidproxy.trace.recording import Recording

AT_MOST = 16_384
WITH_BODIES = 1_024
"""Requests that wait to be written."""

AT_ONCE = 64
"""Lines between two rests: some hundred microseconds' work."""

REST = 0.0003
PAUSE = 0.05
"""Seconds: between two steps, and where there was nothing to do."""

FLUSH_SECONDS = 1.0
"""What a crash may cost."""

CLOSE_SECONDS = 10.0

_log = logging.getLogger("oidproxy.proxy")


class Lane(Protocol):
    """A request on the express lane (`passing.Passing`)."""

    way: Way
    epoch: int
    data: bytes
    shown: bytes
    token: bytes
    request_id: bytes


@dataclass(slots=True)
class Recorded:
    """One worker's counts, of all its recordings."""

    lines: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: {"queue": 0, "room": 0, "disk": 0, "bug": 0})
    """Why -> requests that are in no file."""

    def samples(self, recorder: Recorder | None) -> dict[str, dict[Labels, float]]:
        """As `Serving.samples`; nothing where nothing was ever recorded."""
        if recorder is None and not self.lines:
            return {}
        return {
            "oidproxy_recording": {(): 0 if recorder is None else 1},
            "oidproxy_recorded_total": {(): self.lines},
            "oidproxy_record_dropped_total": {(("why", why),): count for why, count in self.dropped.items()},
        }


class Recorder:
    """One worker's recording, while it goes on."""

    __slots__ = (
        "_at_most",
        "_counts",
        "_flushed",
        "_lane",
        "_parts",
        "_queue",
        "_stopping",
        "_thread",
        "_whole",
        "bodies",
    )

    def __init__(self, recording: Recording, clouds: Sequence[str], counts: Recorded) -> None:
        """Raises OSError: its first file cannot be made."""
        self.bodies = recording.bodies
        self._at_most = WITH_BODIES if recording.bodies else AT_MOST
        self._queue: deque[Passed | Ended] = deque()
        self._counts = counts
        riders = Riders(recording)
        self._lane, self._whole = LaneLines(recording, riders), Describing(recording, riders)
        self._parts: Parts | None = Parts(recording, clouds)
        self._flushed = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def passed(self, one: Lane, body: bytes, seconds: float) -> None:
        """A request on the express lane was answered."""
        if len(self._queue) >= self._at_most:
            self._counts.dropped["queue"] += 1
            return
        kept = body if self.bodies else b""
        # The request itself is let go: what lies about for long is out of the caches when it is looked at.
        self._queue.append(
            (one.way, one.epoch, one.shown, one.token, one.request_id, one.data, len(body), kept, seconds)
        )

    def ended(self, ended: Ended) -> None:
        """Any other request is over."""
        if len(self._queue) >= self._at_most:
            self._counts.dropped["queue"] += 1
        else:
            self._queue.append(ended)

    def close(self) -> None:
        """Write what waits, and complete the file. Not for the loop: it may take a while."""
        self._stopping.set()
        self._thread.join(CLOSE_SECONDS)

    # The thread.

    def _run(self) -> None:
        while True:
            last = self._stopping.is_set()
            if self._step() == AT_ONCE:
                time.sleep(REST)
            elif last:
                break
            else:
                # To wake for each request would cost more than to write it.
                self._stopping.wait(PAUSE)
            self._flush()
        self._complete()

    def _step(self) -> int:
        """Write some lines; how many requests were taken."""
        queue = self._queue
        taken = [queue.popleft() for _ in range(min(len(queue), AT_ONCE))]
        lines = [line for line in map(self._described, taken) if line]
        if lines:
            self._write(lines)
        return len(taken)

    def _described(self, item: Passed | Ended) -> bytes:
        try:
            return self._lane.line(item) if isinstance(item, tuple) else self._whole.line(item)
        except Exception:  # noqa: BLE001 - one request less, and the others go on
            self._counts.dropped["bug"] += 1
            if self._counts.dropped["bug"] == 1:
                _log.exception("a request could not be recorded by a bug")
            return b""

    def _write(self, lines: list[bytes]) -> None:
        parts = self._parts
        if parts is None:
            self._counts.dropped["disk"] += len(lines)
            return
        try:
            wrote = parts.write(b"".join(lines))
        except OSError as error:
            self._failed(error)
            self._counts.dropped["disk"] += len(lines)
            return
        if wrote:
            self._counts.lines += len(lines)
            return
        if not self._counts.dropped["room"]:
            _log.warning("the recording's room is used up: later requests are counted, not recorded")
        self._counts.dropped["room"] += len(lines)

    def _flush(self) -> None:
        now = time.monotonic()
        if self._parts is None or now - self._flushed < FLUSH_SECONDS:
            return
        self._flushed = now
        try:
            self._parts.flush()
        except OSError as error:
            self._failed(error)

    def _complete(self) -> None:
        if self._parts is None:
            return
        try:
            self._parts.close()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        _log.error("nothing more is recorded, its file cannot be written: %s", error.strerror)
        parts, self._parts = self._parts, None
        if parts is not None:
            with suppress(OSError):
                parts.close()
