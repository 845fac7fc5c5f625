"""What the lab says while it works: one line a step, with its seconds."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress:
    """Says on stdout what is done; the seconds since the beginning stand first."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """One line."""
        print(f"[{time.monotonic() - self._began:6.1f}s] {text}", file=sys.stdout, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """A step that takes a while."""
        self.say(f"{text} ...")
        began = time.monotonic()
        yield
        self.say(f"{text}: {time.monotonic() - began:.1f} s")
