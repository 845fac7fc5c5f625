"""`record:` to where and how recordings are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.registry import Record
from oidproxy.clouds.units import size

if TYPE_CHECKING:
    from oidproxy.clouds.config import RecordKeys
    from oidproxy.clouds.findings import Findings

LEAST = 64 * 1024
"""Bytes of a file: smaller ones would be nothing but headers."""


def record(keys: RecordKeys | None, findings: Findings) -> Record | None:
    """What is said of recordings, if anything is."""
    if keys is None:
        return None
    if not keys.folder.startswith("/"):
        findings.wrong(("record", "folder"), "expected an absolute path, as in /var/lib/oidproxy/traces")
    whole = findings.read(("record", "size"), size, keys.size)
    file = findings.read(("record", "file"), _file, keys.file)
    if whole is None or file is None:
        return None
    return Record(keys.folder, keys.on, keys.bodies, whole, file)


def _file(text: str) -> int:
    """Raises ValueError."""
    found = size(text)
    if found < LEAST:
        raise ValueError(f"expected at least {LEAST // 1024}KiB")
    return found
