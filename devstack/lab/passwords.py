"""Passwords and keys of the lab: made at first use, kept in a file that only its owner reads."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Secrets:
    """The secrets of one folder, by name."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "secrets.json"
        self._known: dict[str, str] = {}

    def get(self, name: str) -> str:
        """The secret of that name, of letters and digits; the same one at every call."""
        if name not in self._known and self._path.exists():
            self._known = json.loads(self._path.read_text())
        if name not in self._known:
            self._known[name] = secrets.token_hex(16)
            write_private(self._path, json.dumps(self._known, indent=1))
        return self._known[name]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads; one that was there is replaced whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
