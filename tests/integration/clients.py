"""The real openstack client, run as a user runs it: a process for each command, or one that takes many."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JSON = ("-f", "json")


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
    folder: Path
    """Where it runs, and its home: for clouds.yaml, and away from that of whoever runs the tests."""

    def __call__(self, *arguments: str, json_output: bool = False) -> Ran:
        command = [str(self.path), *arguments, *(JSON if json_output else ())]
        done = subprocess.run(
            command,
            env=self.variables,
            cwd=self.folder,
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

    @property
    def variables(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OIDPROXY_"))
        }
        return {**kept, "HOME": str(self.folder), **self.environment}

    @contextmanager
    def shell(self) -> Iterator[Shell]:
        """The client without arguments: it reads its commands from its input, and signs in once."""
        said = self.folder / "shell.err"
        with said.open("w") as err:
            process = subprocess.Popen(
                [str(self.path)],
                env={**self.variables, "PYTHONUNBUFFERED": "1"},
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )
        with process:
            yield Shell(process, said)
            assert process.stdin
            process.stdin.close()


@dataclass
class Shell:
    """One started client. What a command says on stderr counts as its failure."""

    process: subprocess.Popen[str]
    said: Path
    shown: list[str] = field(default_factory=list)
    """All that it printed."""

    def __call__(self, *words: str) -> Ran:
        assert self.process.stdin
        before = self.said.stat().st_size
        # A command of the shell's own behind ours marks the end of what ours prints.
        self.process.stdin.write(f"{shlex.join(words)}\n! echo {_END}\n")
        self.process.stdin.flush()
        # A command that reads its input (an image without --file) would wait for ever.
        watch = threading.Timer(_SECONDS, self.process.kill)
        watch.start()
        try:
            out = "".join(self._lines())
        finally:
            watch.cancel()
        self.shown.append(out)
        err = self.said.read_bytes()[before:].decode()
        return Ran(1 if err.strip() else 0, out, err)

    def json(self, *words: str) -> Any:
        """The command's output as JSON; it must succeed."""
        return self(*words, *JSON).json()

    def done(self, *words: str) -> None:
        """Run a command that must succeed."""
        ran = self(*words)
        assert ran.status == 0, ran.err

    def _lines(self) -> Iterator[str]:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.rstrip("\n") == _END:
                return
            yield line
        raise AssertionError(f"the client ended: {self.said.read_text()}")


_END = "that-was-all"
_SECONDS = 120.0
