"""`${env:NAME}` and `${file:PATH}` in the values of a configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{([^}]*)\}?")
_LARGEST = 1024 * 1024


class References:
    """Replaces references; a relative path is taken from the configuration's own folder.

    No message of an error holds what a variable or a file contains.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def expand(self, text: str) -> str:
        """The text with every reference replaced. Raises ValueError for one that leads nowhere."""
        return _REFERENCE.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        kind, found, name = match[1].partition(":")
        if not match[0].endswith("}") or not found or not name or kind not in ("env", "file"):
            raise ValueError("expected ${env:NAME} or ${file:PATH}")
        return self._variable(name) if kind == "env" else self._file(name)

    def _variable(self, name: str) -> str:
        if name not in self._environ:
            raise ValueError(f"the environment variable {name} is not set")
        return self._environ[name]

    def _file(self, name: str) -> str:
        path = self._folder / Path(name).expanduser()
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        if len(data) > _LARGEST:
            raise ValueError(f"{path} is larger than 1 MiB")
        return _text(data)


def _text(data: bytes) -> str:
    """Text without the line end that editors put behind it; the bytes of a raw key survive as surrogates."""
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")
