"""What a result came from: enough to make it again."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

import msgspec

from oidproxy.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS_VERSION = 1

PACKAGES = ("aiohttp", "numpy", "pyarrow", "matplotlib", "hdrhistogram", "uvloop", "distributed")


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One replay. No secret stands here, and no time but what is given."""

    oidproxy_results: int = RESULTS_VERSION
    kind: str
    """`real` or `virtual`: whose time it was."""
    command: tuple[str, ...]
    """The command line that makes it again."""
    seed: int
    trace: str = ""
    """The trace's name …"""
    trace_digest: str = ""
    """… and SHA-256."""
    config_digest: str = ""
    """SHA-256 of everything that the run was told: options, clouds, delays."""
    options: dict[str, Any] = {}
    versions: dict[str, str] = {}
    began: str = ""
    """Wall clock, ISO 8601; empty for a run in virtual time."""
    notes: tuple[str, ...] = ()
    """What a reader should know about the trace."""


def versions() -> dict[str, str]:
    """This program's, Python's and the packages' that had a part in it."""
    found = {"oidproxy": VERSION, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def digest(value: Any) -> str:
    """SHA-256 of a value that JSON can tell, the same whatever the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def digest_of_files(paths: Sequence[Any]) -> str:
    """SHA-256 of the bytes of these files, one behind the other. Raises OSError."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                whole.update(piece)
    return whole.hexdigest()
