"""Who asks: the request on whose behalf several clouds are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.http.head import RequestHead


@dataclass(frozen=True, slots=True)
class Asker:
    """What of the request goes along to every cloud."""

    head: RequestHead
    peer: str
    """The client's address."""
    peer_trusted: bool
    """Whether its X-Forwarded-For is believed."""
    request_id: str
    via_depth: int
