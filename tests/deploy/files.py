"""The files of deploy/, and commands run as an operator runs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
COMMAND = Path(sys.executable).parent / "oidproxy"
SECRETS = {"fleet.key": "0f" * 64, "admin.token": "a-token-of-the-admin-listener"}


@dataclass(frozen=True)
class Folder:
    """What /etc/oidproxy is after the installation: a configuration as oidproxy.yaml, with its secrets."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "oidproxy.yaml"

    def oidproxy(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The real command, in this folder."""
        return subprocess.run(
            [COMMAND, *words], cwd=self.path, capture_output=True, text=True, timeout=60, check=False
        )


def installed(path: Path, configuration: str) -> Folder:
    """A folder with this file of deploy/ as its configuration."""
    shutil.copy(DEPLOY / configuration, path / "oidproxy.yaml")
    for name, secret in SECRETS.items():
        (path / name).write_text(secret + "\n")
    return Folder(path)
