"""Loaded by Dask's workers on this machine: Ctrl-C on the terminal is for the process that leads them."""

from __future__ import annotations

import signal


def dask_setup(_: object) -> None:
    """Called by Dask in the worker's main thread when it starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
