"""The snapshot in force: swapped whole on reload, read by everything that outlives one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.routing.decision import Snapshot


@dataclass(slots=True)
class Current:
    """One mutable reference, shared by the parts of identity."""

    snapshot: Snapshot
