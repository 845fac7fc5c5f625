"""`lab-test`: clouds made anew, the tests that need them, and nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
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
SHARED_CACHE = "tests/lab/test_trust_shared_cache.py"


@dataclass(frozen=True, slots=True)
class Run:
    """Clouds made anew, and what pytest is given then."""

    tests: tuple[str, ...]
    gateway: bool = True
    """With clouds whose services know of no proxy."""
    one_cache: bool = False
    """With one memcached for all clouds."""


RUNS = (
    Run(("tests/lab", f"--ignore={SHARED_CACHE}")),
    # The mistake that operators make: clouds that share what their services remember of tokens.
    Run(("tests/lab/test_trust.py", SHARED_CACHE), gateway=False, one_cache=True),
)


def test(lab: Lab, arguments: Sequence[str], progress: Progress) -> int:
    """The exit status of pytest, which gets the arguments. Raises LabError if the clouds do not come up.

    The proxies run the code of today, and what an earlier run left behind fails no test of this one.
    """
    chosen = Run(tuple(arguments), one_cache=bool(os.environ.get("LAB_MEMCACHED")))
    with _ended_by_a_signal():
        packages.install(lab, progress, packages.TESTS)
        statuses = [_run(lab, run, progress) for run in ((chosen,) if arguments else RUNS)]
        return next((status for status in statuses if status), 0)


def _run(lab: Lab, run: Run, progress: Progress) -> int:
    os.environ["LAB_MEMCACHED"] = "1" if run.one_cache else ""
    clean(lab, progress)
    try:
        Up(lab, CLOUDS, progress, gateway=run.gateway).run()
        return _pytest(lab, run.tests)
    finally:
        down(lab, progress)


def _pytest(lab: Lab, tests: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-n", "0", "--durations", "10", *tests]
    here = {"LAB_STATE": str(lab.state), "LAB_NETWORK": lab.network, "OIDPROXY_LAB": "1"}
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **here}, check=False).returncode  # noqa: S603


@contextmanager
def _ended_by_a_signal() -> Iterator[None]:
    """What ends this process ends the lab as well: a plain SIGTERM would leave all of it running."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
