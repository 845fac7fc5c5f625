"""A thousand clouds in one process: ready in time, within the memory that is promised, stopped at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.sim.rig import random_address

pytestmark = pytest.mark.slow

GIB = 1 << 30


def test_a_thousand_clouds_are_ready_in_time_and_fit_into_memory(tmp_path):
    network = ".".join(random_address().split(".")[:2])
    argv = ["sim", "--clouds", "1000", "--data", str(tmp_path / "fleet"), "--network", network]
    log = tmp_path / "log"
    begin = time.monotonic()
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "oidproxy", *argv],
            stderr=said,
            env={**os.environ, "OIDPROXY_SIM_PASSWORD": "secret"},
            cwd=Path(__file__).parents[3],
        )
    try:
        while "1000 clouds ready" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() - begin < 60, "not ready after a minute, however slow the machine"
            time.sleep(0.1)
        assert psutil.Process(process.pid).memory_full_info().pss < 1.5 * GIB
        assert len(psutil.Process(process.pid).net_connections("tcp4")) >= 6_000
    finally:
        process.terminate()
        assert process.wait(20) == 0
