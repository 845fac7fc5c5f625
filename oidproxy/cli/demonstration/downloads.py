"""What an embedded cloud's compute says of the images that it fetched."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Download:
    """One image, as it arrived."""

    size: int
    sha256: str


def downloads(data: Path) -> list[Download]:
    """All that were fetched so far, in their order."""
    journal = data / "downloads.jsonl"
    if not journal.exists():
        return []
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    return [Download(entry["size"], entry["sha256"]) for entry in entries]
