"""Configurations written to a folder of their own and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oidproxy.clouds.loading.load import Loaded, read
from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NO_ENVIRONMENT: Mapping[str, str] = {}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes oidproxy.yaml, and other files by name, and returns the path of the former."""

    def written(text: str, files: Mapping[str, str | bytes] | None = None) -> Path:
        for name, content in {"oidproxy.yaml": text, **(files or {})}.items():
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / name).write_bytes(data)
        return tmp_path / "oidproxy.yaml"

    return written


@pytest.fixture
def loaded(write: Callable[..., Path]) -> Callable[..., Loaded]:
    """Reads a configuration from its text."""

    def load(text: str, files: Mapping[str, str | bytes] | None = None, **options) -> Loaded:
        return read(write(text, files), environ=options.pop("environ", NO_ENVIRONMENT), **options)

    return load


@pytest.fixture
def errors(loaded: Callable[..., Loaded], tmp_path: Path) -> Callable[..., list[str]]:
    """The errors of a configuration, line by line, without the folder's name."""

    def refused(text: str, files: Mapping[str, str | bytes] | None = None, **options) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(text, files, **options)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return refused
