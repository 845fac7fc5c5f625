"""Clouds asked in the name of the user whose request it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oidproxy.errors import NotSupported
from oidproxy.manyclouds.parts import Happened
from oidproxy.manyclouds.replicating.heard import Heard
from oidproxy.routing.decision import Leg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.registry import Registry
    from oidproxy.manyclouds.legs import Legs

ANSWER_AT_MOST = 8 << 20
"""Bytes of a page of a collection."""

PATIENCE = 15.0
"""Seconds for a call that somebody waits for besides the request's own."""


@dataclass(frozen=True, slots=True)
class AsUser:
    """Implements `replicating.heard.Speaker` with the legs of a request."""

    legs: Legs
    ways: Mapping[str, Leg]
    """Cloud -> the leg to it, of whichever service."""
    registry: Registry

    async def call(self, cloud: str, service_type: str, method: str, target: str, body: bytes = b"") -> Heard:
        """One call. Never raises but CancelledError."""
        leg = self._leg(cloud, service_type)
        if leg is None:
            error = NotSupported(f"{cloud} has no {service_type}, or is outside the scope.")
            return Heard(0, Happened.NO, error.message)
        deadline = asyncio.get_running_loop().time() + PATIENCE
        part = await self.legs.ask(
            leg,
            limit=ANSWER_AT_MOST,
            method=method,
            target=target.encode("latin-1"),
            body=body,
            deadline=deadline,
        )
        return Heard.of(part)

    def _leg(self, cloud: str, service_type: str) -> Leg | None:
        """The way to a service of a cloud. The user's tokens for that cloud are the same for all of them."""
        leg = self.ways.get(cloud)
        if leg is None or leg.forward.route.service_type == service_type:
            return leg
        endpoint = self.registry.endpoint(cloud, service_type, leg.one.region)
        if endpoint is None:
            return None
        route = replace(leg.forward.route, service_type=service_type, endpoint=endpoint)
        # Its images are where they are: whoever asks here wants this cloud's own.
        return Leg(leg.one, replace(leg.forward, route=route, stage=None))
