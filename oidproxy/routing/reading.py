"""Requests whose body has to be read before anything is decided about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import BodyTooLarge
from oidproxy.http.head import Length
from oidproxy.routing.decision import ReadBody

if TYPE_CHECKING:
    from oidproxy.routing.inbound import Inbound


def read_body(inbound: Inbound) -> ReadBody:
    """Read this request's body, if it may be held.

    Raises:
        BodyTooLarge: it says that it is longer.
    """
    framing, limit = inbound.head.framing, inbound.registry.limits.request_body
    if isinstance(framing, Length) and framing.size > limit:
        raise BodyTooLarge(f"This request's body has to be read whole, so it may hold at most {limit} bytes.")
    return ReadBody(limit)
