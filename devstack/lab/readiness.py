"""Waiting until something of the lab answers, no longer than its process lives."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from devstack.lab.failure import LabError, tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devstack.lab.processes import Background

PATIENCE = 180.0


def wait_answer(process: Background, url: str) -> None:
    """Wait until a GET of `url` has an answer below 500. Raises LabError with the end of the log."""
    wait(lambda: _answers(url), f"{process.name} does not answer at {url}", process.log, process.check)


def wait(done: Callable[[], bool], complaint: str, log: Path, check: Callable[[], None]) -> None:
    """Wait until `done`; `check` raises if there is no point in it. Raises LabError."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        check()
        if time.monotonic() > deadline:
            raise LabError(f"{complaint} after {PATIENCE:g} s:\n{tail(log)}")
        time.sleep(0.3)


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
