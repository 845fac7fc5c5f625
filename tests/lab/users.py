"""Users of the lab, who use the real openstack client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devstack.lab.layout import Lab

CLIENT = Path(sys.executable).parent / "openstack"
SECONDS = 180


class Refused(Exception):
    """The client failed; the text is what it said."""


class User:
    """An entry of the lab's clouds.yaml, or of another one."""

    def __init__(self, lab: Lab, entry: str, file: Path | None = None) -> None:
        self._file = file or lab.clouds_yaml
        self._entry = entry

    def run(self, *words: str, scope: str | None = None, errors: bool = False) -> str:
        """`openstack <words>`; what it prints, with `errors` also on stderr. Raises Refused."""
        scoped = ("--scope", scope) if scope else ()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        env = {**kept, "OS_CLIENT_CONFIG_FILE": str(self._file), "OS_CLOUD": self._entry}
        command = [str(CLIENT), *scoped, *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return done.stdout + done.stderr if errors else done.stdout

    def json(self, *words: str, scope: str | None = None) -> Any:
        """The same, with what it prints as JSON."""
        return json.loads(self.run(*words, "-f", "json", scope=scope))
