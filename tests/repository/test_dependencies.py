"""What the code imports is what the project declares: nothing undeclared, nothing unused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_declared_and_imported_are_the_same():
    command = [str(Path(sys.executable).parent / "deptry"), "--no-ansi", "oidproxy"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
