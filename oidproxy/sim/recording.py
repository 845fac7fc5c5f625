"""What passed a simulated cloud, as JSON lines: for tests that have to know what a cloud saw.

A record holds tokens and bodies as they were, so it is written only when asked for, and readable by its
owner alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from oidproxy.sim.messages import Document

LONGEST_BODY = 1 << 16


class Recorder:
    """Appends one line for each request, at once, so that a reader sees what has been answered."""

    def __init__(self, path: Path, cloud: str) -> None:
        self._cloud = cloud
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)

    def write(self, entry: Document) -> None:
        """One line."""
        os.write(self._file, msgspec.json.encode({"cloud": self._cloud, **entry}) + b"\n")

    def close(self) -> None:
        """Write nothing more."""
        os.close(self._file)


def pairs(fields: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Header fields as JSON has them."""
    return [[str(name), value] for name, value in fields]


def shown(body: bytes) -> str | None:
    """A body as a record shows it; None when it is none, too long, or not text."""
    if not body or len(body) > LONGEST_BODY:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
