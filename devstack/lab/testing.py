"""`lab-test`: clouds made anew, the tests that need them, and nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from devstack.lab import packages
from devstack.lab.layout import REPOSITORY
from devstack.lab.running import clean, down
from devstack.lab.up import Up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstack.lab.layout import Lab
    from devstack.lab.progress import Progress

CLOUDS = 2
SETTINGS = {
    "OIDPROXY_LAB": "1",
    # The mistake that operators make: clouds that share what their services remember of tokens.
    "LAB_MEMCACHED": "1",
}


def test(lab: Lab, arguments: Sequence[str], progress: Progress) -> int:
    """The exit status of pytest, which gets the arguments. Raises LabError if the clouds do not come up.

    The proxies run the code of today, and what an earlier run left behind fails no test of this one.
    """
    os.environ.update(SETTINGS)
    with _ended_by_a_signal():
        clean(lab, progress)
        try:
            packages.install(lab, progress, packages.TESTS)
            Up(lab, CLOUDS, progress, gateway=True).run()
            return _pytest(lab, arguments)
        finally:
            down(lab, progress)


def _pytest(lab: Lab, arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-n", "0", "--durations", "10", *(arguments or ["tests/lab"])]
    here = {"LAB_STATE": str(lab.state), "LAB_NETWORK": lab.network}
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **here}, check=False).returncode  # noqa: S603


@contextmanager
def _ended_by_a_signal() -> Iterator[None]:
    """What ends this process ends the lab as well: a plain SIGTERM would leave all of it running."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
