"""A line on the terminal that says how far a replay is."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from oidproxy.trace.replaying.running import Progress

SATURATED = 100_000_000
"""Nanoseconds of lag from which on it is said."""


class Bar:
    """Redraws itself in place; shows nothing where nobody looks."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        """`stream` is usually standard error."""
        self._stream = stream
        self._shows = stream.isatty()
        self._began = time.monotonic()
        self._said = False

    def show(self, progress: Progress) -> None:
        """Draw it; once, say that the sender cannot keep up."""
        if progress.lag > SATURATED and not self._said:
            self._said = True
            self._end()
            print(
                f"oidproxy trace: sending {progress.lag / 1e6:.0f} ms after the intended time: "
                "this machine cannot keep up",
                file=self._stream,
                flush=True,
            )
        if self._shows:
            width = shutil.get_terminal_size().columns
            print(
                f"\r{text(progress, time.monotonic() - self._began)[: width - 1]:<{width - 1}}",
                end="",
                file=self._stream,
                flush=True,
            )

    def close(self) -> None:
        """Leave the line."""
        self._end()

    def _end(self) -> None:
        if self._shows:
            print(file=self._stream, flush=True)


def text(progress: Progress, seconds: float) -> str:
    """`[####----] 40 %  4,000 of 10,000  00:12  320/s  2 failed`."""
    share = progress.done / progress.total if progress.total else 1.0
    filled = int(share * 24)
    minutes, rest = divmod(int(seconds), 60)
    parts = [
        f"[{'#' * filled}{'-' * (24 - filled)}] {100 * share:3.0f} %",
        f"{progress.done:,} of {progress.total:,}",
        f"{minutes:02}:{rest:02}",
        f"{progress.done / seconds:,.0f}/s" if seconds > 0 else "",
        f"{progress.failed:,} failed" if progress.failed else "",
        f"{progress.unmatched:,} not sent" if progress.unmatched else "",
        f"lag {progress.lag / 1e6:.0f} ms" if progress.lag > SATURATED else "",
    ]
    return "  ".join(one for one in parts if one)
