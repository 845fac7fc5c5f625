"""Holds signals back while processes are started and stopped, so that none is left behind."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HELD = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def undisturbed() -> Iterator[None]:
    """SIGTERM and Ctrl-C take effect when this ends.

    A process whose start they interrupted would run on, known to nobody. Handlers and not the signal mask,
    which a started process would inherit; and they run in the main thread only, so others need nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {held: signal.signal(held, lambda number, _: came.append(number)) for held in HELD}
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
    for number in came:
        signal.raise_signal(number)


def run(command: Sequence[str], environment: dict[str, str], *, capture: bool = False) -> tuple[int, str]:
    """Run a command to its end, and end it when this is interrupted; its status, and its output if captured
    (which goes where ours goes otherwise)."""
    pipe = subprocess.PIPE if capture else None
    with undisturbed():
        process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)
    with process:
        try:
            out, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    return process.returncode, out or ""
