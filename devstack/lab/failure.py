"""The one error of the lab: what failed, and the end of the log that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LINES = 25


class LabError(Exception):
    """Its text is for whoever runs the lab."""


def tail(log: Path, lines: int = LINES) -> str:
    """The last lines of a log, indented, under the log's name."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 64 * 1024))
            text = file.read().decode(errors="replace")
    except OSError as error:
        return f"  ({log}: {error.strerror})"
    return "\n".join([f"  {log}:", *(f"  | {line}" for line in text.splitlines()[-lines:])])
