"""The real openstack client, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Client:
    """`openstack` with these variables and no others of its kind."""

    path: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, json_output: bool = False) -> Ran:
        command = [str(self.path), *arguments, *(("-f", "json") if json_output else ())]
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OIDPROXY_"))
        }
        done = subprocess.run(  # the client under test
            command,
            env={**kept, **self.environment},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str) -> Any:
        """The command's output as JSON; it must succeed."""
        return self(*arguments, json_output=True).json()

    def given(self, **variables: str) -> Client:
        """The same with more variables."""
        return replace(self, environment={**self.environment, **variables})
