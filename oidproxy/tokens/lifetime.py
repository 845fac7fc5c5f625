"""When a token ends, as Keystone says it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def ends(token: Mapping[str, object]) -> int:
    """`expires_at` of a token body, in whole seconds since the epoch; ValueError if it is no such time."""
    text = token.get("expires_at")
    moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError("expires_at is not a time")
    return int(moment.timestamp())
