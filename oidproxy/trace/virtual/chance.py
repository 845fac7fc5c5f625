"""The system's chance made repeatable: while a run lasts, random bytes of its thread come from the seed."""

from __future__ import annotations

import os
import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Let `os.urandom`, and with it `uuid.uuid4`, give this thread what the seed says.

    Ids of requests, journal entries and leases are made in many places, which should not know of replays.
    Other threads get what they always got: a worker's connection to its scheduler has one of its own.
    """
    system, mine, source = os.urandom, threading.get_ident(), random.Random(seed)  # noqa: S311 - it is to be known

    def urandom(size: int, /) -> bytes:
        return source.randbytes(size) if threading.get_ident() == mine else system(size)

    os.urandom = urandom
    try:
        yield
    finally:
        os.urandom = system
