"""Files as importers read them: compressed or not, and how far they are read."""

from __future__ import annotations

import gzip
from typing import IO, TYPE_CHECKING, cast

import zstandard

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path) -> IO[bytes]:
    """The file's content; `.gz` and `.zst` are read through. Raises OSError."""
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path))
    if path.suffix == ".zst":
        file = path.open("rb")
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=True)
        return cast("IO[bytes]", reader)
    return path.open("rb")


def kind_of(path: Path) -> str:
    """The suffix that tells the format, without that of a compression: `.har`."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    return name[name.rfind(".") :].lower() if "." in name else ""
